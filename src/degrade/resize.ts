/** @file Resizing as PyTorch's `F.interpolate` does it without antialiasing and with align_corners false. */
import { filterSeparably, type Taps, tapsOf } from '../image/interpolate.ts';
import { UsageError } from '../tensor/errors.ts';
import { sizeOf, type Planes } from './planes.ts';

/** How output pixels are made: the mean of the input pixels they touch, 2x2 or 4x4 neighbours. */
export type ResizeMode = 'area' | 'bilinear' | 'bicubic';

/** Every mode, in the order of the official code's list. */
export const resizeModes: readonly ResizeMode[] = ['area', 'bilinear', 'bicubic'];

/**
 * Resizes to a size: coordinates go by the ratio of the sizes.
 *
 * @param x `[C, H, W]`
 * @returns `[C, height, width]`
 * @throws UsageError when a size is not a positive integer
 */
export function resizeTo(x: Planes, mode: ResizeMode, height: number, width: number): Planes {
  const [, fromHeight, fromWidth] = sizeOf(x);
  if (!(Number.isInteger(height) && height > 0 && Number.isInteger(width) && width > 0)) {
    throw new UsageError(
      `resize: expected a size of at least 1x1, got ${width}x${height} (input ${fromWidth}x${fromHeight}). Take a larger picture or a milder scale.`,
    );
  }
  const rows = taps(mode, fromHeight, height, Math.fround(fromHeight / height));
  const columns = taps(mode, fromWidth, width, Math.fround(fromWidth / width));
  return filterSeparably(x, rows, columns);
}

/**
 * Resizes by a factor: the size is `floor(H * scale)`, but coordinates go by the factor itself (except
 * for `area`, which knows sizes only).
 *
 * @param x `[C, H, W]`
 * @throws UsageError when nothing would be left
 */
export function resizeBy(x: Planes, mode: ResizeMode, scale: number): Planes {
  const [, fromHeight, fromWidth] = sizeOf(x);
  const height = Math.floor(fromHeight * scale);
  const width = Math.floor(fromWidth * scale);
  if (mode === 'area' || height < 1 || width < 1) return resizeTo(x, mode, height, width);
  const ratio = Math.fround(1 / scale);
  const rows = taps(mode, fromHeight, height, ratio);
  return filterSeparably(x, rows, taps(mode, fromWidth, width, ratio));
}

function taps(mode: ResizeMode, from: number, to: number, ratio: number): Taps {
  if (mode === 'area') return areaTaps(from, to);
  return tapsOf(mode, from, to, ratio);
}

/** The input pixels that an output pixel covers, in whole or in part, all of the same weight. */
function areaTaps(from: number, to: number): Taps {
  const start = (i: number) => Math.floor((i * from) / to);
  const end = (i: number) => Math.ceil(((i + 1) * from) / to);
  let count = 1;
  for (let i = 0; i < to; i++) count = Math.max(count, end(i) - start(i));
  const index = new Int32Array(to * count);
  const weight = new Float64Array(to * count);
  for (let i = 0; i < to; i++) {
    const first = start(i);
    const covered = end(i) - first;
    for (let k = 0; k < count; k++) {
      index[i * count + k] = first + Math.min(k, covered - 1);
      weight[i * count + k] = k < covered ? 1 / covered : 0;
    }
  }
  return { count, index, weight };
}
