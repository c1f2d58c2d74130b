/**
 * @file Seeded random numbers that are the same on every platform: xoshiro128** (Blackman and Vigna,
 * "Scrambled Linear Pseudorandom Number Generators", 2018), in 32-bit integer arithmetic.
 */
import { UsageError } from './errors.ts';

/** Names a stream of random numbers: a seed, then whatever tells streams of that seed apart. */
export type StreamName = readonly number[];

/** One stream of random numbers. Streams of different names are independent of each other. */
export class Random {
  readonly #state: Int32Array;

  /**
   * @param name whole numbers from 0 to 2^53 - 1; their order counts
   * @throws UsageError when one is not
   */
  constructor(name: StreamName) {
    this.#state = hash(name);
  }

  /** 32 random bits, as an integer from 0 to 2^32 - 1. */
  bits(): number {
    return xoshiro(this.#state);
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.bits() >>> 5;
    return (high * 67108864 + (this.bits() >>> 6)) * 2 ** -53;
  }

  /** Uniform in [`low`, `high`); `low` where they are equal. */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** An integer from 0 to `count` - 1, each as likely (rejection, so without bias); `count` <= 2^32. */
  below(count: number): number {
    const limit = 2 ** 32 - (2 ** 32 % count);
    for (;;) {
      const value = this.bits();
      if (value < limit) return value % count;
    }
  }

  /** One of `items`, each as likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A key of `weights`, as likely as its weight is large; weights need not sum to 1. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    // The sum's rounding may leave a hair over.
    return entries.findLast(([, weight]) => weight > 0)![0];
  }
}

/** One step of xoshiro128**: changes its four words of state and returns 32 bits. */
export function xoshiro(s: Int32Array): number {
  const s1 = s[1]!;
  const five = Math.imul(s1, 5);
  const result = Math.imul((five << 7) | (five >>> 25), 9);
  const s2 = s[2]! ^ s[0]!;
  const s3 = s[3]! ^ s1;
  s[1] = s1 ^ s2;
  s[0] = s[0]! ^ s3;
  s[2] = s2 ^ (s1 << 9);
  s[3] = (s3 << 11) | (s3 >>> 21);
  return result >>> 0;
}

/**
 * Four 32-bit words of state from a name. Each number is stirred in as two words with the mixing steps
 * of MurmurHash3 (Austin Appleby, public domain), each lane with its own start.
 */
function hash(name: StreamName): Int32Array {
  const state = Int32Array.from([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]); // digits of pi
  for (const number of name) {
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new UsageError(`seed: expected whole numbers from 0 to 2^53 - 1, got ${number}.`);
    }
    for (const word of [number >>> 0, Math.floor(number / 2 ** 32)]) {
      for (let lane = 0; lane < 4; lane++) {
        // Each lane takes in its neighbour, so that all four depend on all of the name.
        const mixed = state[lane]! ^ mix(word ^ Math.imul(state[(lane + 3) & 3]!, 0x9e3779b1));
        state[lane] = Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64;
      }
    }
  }
  for (let lane = 0; lane < 4; lane++) state[lane] = mix(state[lane]!);
  if (state.every((word) => word === 0)) state[0] = 1; // the one state that xoshiro cannot leave
  return state;
}

/** MurmurHash3's finalizer: a permutation of the 32-bit words in which every bit reaches every other. */
function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
