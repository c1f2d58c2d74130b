/**
 * @file Normal random numbers by the ziggurat with 256 layers (Marsaglia and Tsang, "The Ziggurat
 * Method for Generating Random Variables", Journal of Statistical Software 5:8, 2000): exact by
 * rejection, one draw and one product for 99 of 100 numbers.
 */
import type { Random } from './random.ts';

/** Where the tail begins, and the area of each layer (the paper's constants for 256 layers). */
const tail = 3.6541528853610088;
const area = 4.92867323399e-3;

/** `edges[i]` is the right edge of layer i, widest first; the tail's layer is as wide as its area says. */
const edges = new Float64Array(257);
/** The density, not normalised, at each edge. */
const heights = new Float64Array(257);

edges[0] = area / density(tail);
edges[1] = tail;
heights[1] = density(tail);
for (let i = 2; i < 256; i++) {
  heights[i] = heights[i - 1]! + area / edges[i - 1]!;
  edges[i] = Math.sqrt(-2 * Math.log(heights[i]!));
}
heights[256] = 1;

function density(x: number): number {
  return Math.exp(-0.5 * x * x);
}

/**
 * Fills `out` with independent draws from N(0, 1).
 *
 * 8 bits of a draw choose the layer, the other 24 the place in it, so values lie on a grid of 2^-23 of
 * the layer's width: finer than float32 but near zero. Beside integers only V8's own `Math.exp`,
 * `Math.log` and `Math.sqrt` are used, which are the same code on every platform.
 */
export function fillNormal(random: Random, out: Float32Array): void {
  for (let n = 0; n < out.length; n++) out[n] = normal(random);
}

function normal(random: Random): number {
  for (;;) {
    const bits = random.bits() | 0;
    const layer = bits & 255;
    // Half a step off zero: both signs are equally likely, and no value stands for zero twice.
    const x = ((bits >> 8) + 0.5) * 2 ** -23 * edges[layer]!;
    if (Math.abs(x) < edges[layer + 1]!) return x;
    if (layer === 0) return x < 0 ? -beyondTail(random) : beyondTail(random);
    const low = heights[layer]!;
    if (low + random.uniform() * (heights[layer + 1]! - low) < density(x)) return x;
  }
}

/** A draw from the part of the density right of `tail` (Marsaglia 1964). */
function beyondTail(random: Random): number {
  for (;;) {
    const x = -Math.log(1 - random.uniform()) / tail;
    const y = -Math.log(1 - random.uniform());
    if (2 * y > x * x) return tail + x;
  }
}
