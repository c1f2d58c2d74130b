/** @file Resizing as PyTorch's `F.interpolate` does it without antialiasing and with align_corners false. */
import { UsageError } from '../tensor/errors.ts';
import { tensor } from '../tensor/tensor.ts';
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
  return separable(x, rows, columns);
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
  return separable(x, rows, taps(mode, fromWidth, width, ratio));
}

/** For each output place of an axis, `count` input places and their weights. */
interface Taps {
  readonly count: number;
  readonly index: Int32Array;
  readonly weight: Float64Array;
}

function taps(mode: ResizeMode, from: number, to: number, ratio: number): Taps {
  if (mode === 'area') return areaTaps(from, to);
  return mode === 'bilinear' ? linearTaps(from, to, ratio) : cubicTaps(from, to, ratio);
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

/**
 * Where an output pixel's middle lies in the input, as PyTorch's compiled code has it: in float32, but
 * multiplied and subtracted with one rounding. Far from the origin the last bit shows in the result.
 */
function place(i: number, ratio: number): number {
  return Math.fround(ratio * (i + 0.5) - 0.5);
}

function linearTaps(from: number, to: number, ratio: number): Taps {
  const index = new Int32Array(2 * to);
  const weight = new Float64Array(2 * to);
  for (let i = 0; i < to; i++) {
    const x = Math.max(0, place(i, ratio));
    const left = Math.min(Math.floor(x), from - 1);
    const t = Math.min(1, x - left);
    index[2 * i] = left;
    index[2 * i + 1] = Math.min(left + 1, from - 1);
    weight[2 * i] = 1 - t;
    weight[2 * i + 1] = t;
  }
  return { count: 2, index, weight };
}

/** Keys' cubic convolution with a = -0.75; places off the picture take its edge. */
function cubicTaps(from: number, to: number, ratio: number): Taps {
  const a = -0.75;
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1; // |d| <= 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; // 1 < |d| < 2
  const index = new Int32Array(4 * to);
  const weight = new Float64Array(4 * to);
  for (let i = 0; i < to; i++) {
    const x = place(i, ratio);
    const left = Math.floor(x);
    const t = x - left;
    weight.set([far(t + 1), near(t), near(1 - t), far(2 - t)], 4 * i);
    for (let k = 0; k < 4; k++) {
      index[4 * i + k] = Math.min(from - 1, Math.max(0, left - 1 + k));
    }
  }
  return { count: 4, index, weight };
}

/** Filters along rows, then along columns; each input row that is needed is filtered once. */
function separable(x: Planes, rows: Taps, columns: Taps): Planes {
  const [channels, fromHeight, fromWidth] = sizeOf(x);
  const height = rows.index.length / rows.count;
  const width = columns.index.length / columns.count;
  const out = new Float32Array(channels * height * width);
  const sum = new Float64Array(width);
  const filtered: (Float64Array | undefined)[] = [];
  const spare: Float64Array[] = [];
  for (let c = 0; c < channels; c++) {
    let oldest = 0;
    for (let y = 0; y < height; y++) {
      const first = rows.index[y * rows.count]!;
      for (; oldest < first; oldest++) if (filtered[oldest]) spare.push(filtered[oldest]!);
      sum.fill(0);
      for (let k = 0; k < rows.count; k++) {
        const weight = rows.weight[y * rows.count + k]!;
        if (weight === 0) continue;
        const row = rows.index[y * rows.count + k]!;
        let line = filtered[row];
        if (!line) {
          line = filtered[row] = spare.pop() ?? new Float64Array(width);
          filterRow(x.data, (c * fromHeight + row) * fromWidth, columns, line);
        }
        for (let i = 0; i < width; i++) sum[i]! += weight * line[i]!;
      }
      out.set(sum, (c * height + y) * width);
    }
    for (; oldest < fromHeight; oldest++) if (filtered[oldest]) spare.push(filtered[oldest]!);
    filtered.length = 0;
  }
  return tensor('float32', [channels, height, width], out);
}

function filterRow(data: Float32Array, start: number, columns: Taps, line: Float64Array): void {
  const { count, index, weight } = columns;
  for (let i = 0, o = 0; i < line.length; i++) {
    let value = 0;
    for (let k = 0; k < count; k++, o++) value += weight[o]! * data[start + index[o]!]!;
    line[i] = value;
  }
}
