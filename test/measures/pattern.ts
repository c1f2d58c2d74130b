/** @file Pictures made by whole-number arithmetic, so that every machine draws the same bytes. */
import type { Rgb } from '../../src/measures/rgb.ts';

/** 32 scrambled bits of a lattice point (the finaliser of MurmurHash3, public domain). */
function hash(x: number, y: number, seed: number): number {
  let h = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca6b) ^ Math.imul(seed + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Value noise, -128 * 64 .. 127 * 64, that changes over 8 pixels. */
function noise(x: number, y: number, seed: number): number {
  const [i, j, u, v] = [x >> 3, y >> 3, x & 7, y & 7];
  const at = (a: number, b: number): number => (hash(a, b, seed) & 255) - 128;
  const top = at(i, j) * (8 - u) + at(i + 1, j) * u;
  const bottom = at(i, j + 1) * (8 - u) + at(i + 1, j + 1) * u;
  return top * (8 - v) + bottom * v;
}

/**
 * A coloured texture: smooth noise of 8 pixels under grain of one.
 *
 * @param grain largest grain, in levels
 */
export function texture(width: number, height: number, seed: number, grain: number): Rgb {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const rough = grain === 0 ? 0 : (hash(x, y, 99 + seed) % (2 * grain + 1)) - grain;
      const grey = 128 + Math.floor(noise(x, y, seed) / 96) + rough;
      for (let c = 0; c < 3; c++) {
        const level = grey + Math.floor(noise(x, y, 9 + c) / 256);
        data[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, level));
      }
    }
  }
  return { width, height, data };
}

/** One colour all over. */
export function flat(width: number, height: number, r: number, g: number = r, b: number = r): Rgb {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i += 3) data.set([r, g, b], i);
  return { width, height, data };
}
