/** @file Interpolation as PyTorch's `F.interpolate` has it: not antialiased, half-pixel centres. */
import { ShapeError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** 2 or 4 neighbours along each axis. */
export type Interpolation = 'bilinear' | 'bicubic';

/** For each output place of an axis, `count` input places and their weights. */
export interface Taps {
  readonly count: number;
  readonly index: Int32Array;
  readonly weight: Float64Array;
}

/**
 * Planes at another size; coordinates go by the ratio of the sizes.
 *
 * @param x `[C, H, W]`
 * @returns `[C, height, width]`
 * @throws ShapeError when `x` has another rank or a size is not a positive integer
 */
export function interpolate(
  x: Tensor<'float32'>,
  mode: Interpolation,
  height: number,
  width: number,
): Tensor<'float32'> {
  const [, fromHeight, fromWidth] = x.shape as [number, number, number];
  if (x.shape.length !== 3 || ![height, width].every((n) => Number.isInteger(n) && n > 0)) {
    throw new ShapeError(
      `interpolate: expected planes [C, H, W] and a size of at least 1x1, got [${x.shape.join(', ')}] and ${width}x${height}.`,
    );
  }
  return filterSeparably(x, tapsOf(mode, fromHeight, height), tapsOf(mode, fromWidth, width));
}

/** @param ratio input places an output place; by default that of the sizes, in float32 as PyTorch has it */
export function tapsOf(
  mode: Interpolation,
  from: number,
  to: number,
  ratio: number = Math.fround(from / to),
): Taps {
  return mode === 'bilinear' ? linearTaps(from, to, ratio) : cubicTaps(from, to, ratio);
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

/**
 * Filters along rows, then along columns; each input row that is needed is filtered once.
 *
 * @param x `[C, H, W]`
 * @param rows taps of the vertical axis @param columns of the horizontal one
 */
export function filterSeparably(
  x: Tensor<'float32'>,
  rows: Taps,
  columns: Taps,
): Tensor<'float32'> {
  const [channels, fromHeight, fromWidth] = x.shape as [number, number, number];
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
