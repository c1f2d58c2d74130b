/**
 * @file Poisson random numbers by inversion from tables (Devroye, "Non-Uniform Random Variate
 * Generation", 1986, III.2.4), which pays because a picture's noise has at most 256 different rates.
 */
import type { Random } from '../tensor/random.ts';

/** A discrete distribution, ready to be inverted. */
interface Table {
  /** The smallest count in the table. */
  readonly first: number;
  /** `cumulative[i]`: the probability of at most `first + i`; the last is at least 1. */
  readonly cumulative: Float64Array;
  /** `guide[j]`: the index to begin with for a uniform number of at least `j / guide.length`. */
  readonly guide: Uint16Array;
}

/** Counts less likely than this beside the most likely one are left out: far below one in 2^53. */
const negligible = 1e-22;
const guideLength = 64;

/** By level and byte: at most nine levels of 256 tables, some 5 MB, made when first used. */
const tables = new Map<number, (Table | undefined)[]>();

/**
 * Poisson counts of the rate `byte / 255 * levels` for every pixel. Exact to the 2^-53 of the uniform
 * number that is inverted, one such number a pixel.
 *
 * @param bytes values 0..255 of a picture or plane
 * @param levels what a value of 255 counts on average: 1..256
 */
export function drawCounts(random: Random, bytes: Uint8Array, levels: number): Float32Array {
  let known = tables.get(levels);
  if (!known) tables.set(levels, (known = Array.from({ length: 256 })));
  const out = new Float32Array(bytes.length);
  for (let i = 0; i < out.length; i++) {
    const byte = bytes[i]!;
    const { first, cumulative, guide } = (known[byte] ??= makeTable((byte / 255) * levels));
    const u = random.uniform();
    let k = guide[Math.floor(u * guideLength)]!;
    while (u >= cumulative[k]!) k++;
    out[i] = first + k;
  }
  return out;
}

/** Probabilities by their ratios, rate / k, outward from the most likely count: nothing overflows. */
function makeTable(rate: number): Table {
  const mode = Math.floor(rate);
  const below: number[] = [];
  for (let k = mode, p = 1; k > 0; k--) {
    p *= k / rate;
    if (p < negligible) break;
    below.push(p);
  }
  const odds = [...below.reverse(), 1];
  for (let k = mode + 1, p = 1; ; k++) {
    p *= rate / k;
    if (p < negligible) break;
    odds.push(p);
  }
  const total = odds.reduce((sum, p) => sum + p, 0);
  const cumulative = new Float64Array(odds.length);
  let sum = 0;
  for (const [i, p] of odds.entries()) cumulative[i] = (sum += p) / total;
  cumulative[odds.length - 1] = 1;
  const guide = Uint16Array.from({ length: guideLength }, (_, j) =>
    cumulative.findIndex((p) => p > j / guideLength),
  );
  return { first: mode - below.length, cumulative, guide };
}
