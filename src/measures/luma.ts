/** @file Luma of RGB pictures: the two conversions that the published measures are taken on. */
import type { Rgb } from './rgb.ts';

/** Thousandths of the weights of R, G and B in Y of BT.601, studio range 16..235. */
export const studioWeights = [65481, 128553, 24966] as const;

/**
 * Y of BT.601 in studio range, 16..235, not rounded. `[H * W]`
 *
 * The sum is made in whole numbers, so that exact halves stay exact for who rounds them.
 */
export function studioLuma(picture: Rgb): Float64Array {
  const [r, g, b] = studioWeights;
  const { data } = picture;
  const y = new Float64Array(picture.width * picture.height);
  for (let i = 0, j = 0; i < y.length; i++, j += 3) {
    y[i] = (r * data[j]! + g * data[j + 1]! + b * data[j + 2]!) / 255_000 + 16;
  }
  return y;
}

/**
 * Y of YIQ, 0..255, rounded to whole levels (half to even). `[H * W]`
 *
 * About one pixel in a thousand is an exact half, so the arithmetic decides which way it goes: every
 * step is float32, components first divided by 255, products added from left to right.
 */
export function yiqLuma(picture: Rgb): Float64Array {
  const [r, g, b] = [0.299, 0.587, 0.114].map((weight) =>
    byteTable((v) => Math.fround(Math.fround(weight) * Math.fround(v / 255))),
  );
  const { data } = picture;
  const y = new Float64Array(picture.width * picture.height);
  for (let i = 0, j = 0; i < y.length; i++, j += 3) {
    const sum = Math.fround(Math.fround(r![data[j]!]! + g![data[j + 1]!]!) + b![data[j + 2]!]!);
    y[i] = roundHalfEven(Math.fround(sum * 255));
  }
  return y;
}

/** The nearest whole number, of two equally near the even one. For |v| below 2^51. */
export function roundHalfEven(v: number): number {
  const toInteger = 6755399441055744; // 1.5 * 2^52: adding it leaves no bits for a fraction
  return v + toInteger - toInteger;
}

function byteTable(value: (byte: number) => number): Float64Array {
  return Float64Array.from({ length: 256 }, (_, byte) => value(byte));
}
