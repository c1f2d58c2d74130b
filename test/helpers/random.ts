/** @file Seeded random numbers for tests, so that a failure can be run again. */

/** Uniform numbers in [0, 1) (mulberry32, Tommy Ettinger's public-domain generator). */
export function random(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
