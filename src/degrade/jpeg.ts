/**
 * @file JPEG's loss without its coding: basicsr's `DiffJPEG(differentiable=False)`, and so Real-ESRGAN's.
 * It differs from real JPEG: quality is real-valued, colour is subsampled by averaging and enlarged by
 * repeating, nothing between is rounded to bytes, neither is the result, and the quantisation tables
 * of ITU-T T.81 (Annex K) are transposed.
 */
import { UsageError } from '../tensor/errors.ts';
import { tensor } from '../tensor/tensor.ts';
import { blockForward, blockInverse } from './dct.ts';
import { roundEven, sizeOf, type Planes } from './planes.ts';

/** Luma steps at quality 50, by vertical, then horizontal frequency as DiffJPEG has them. */
// prettier-ignore
const lumaSteps: readonly number[] = [
  16, 12, 14, 14,  18,  24,  49,  72,
  11, 12, 13, 17,  22,  35,  64,  92,
  10, 14, 16, 22,  37,  55,  78,  95,
  16, 19, 24, 29,  56,  64,  87,  98,
  24, 26, 40, 51,  68,  81, 103, 112,
  40, 58, 57, 87, 109, 104, 121, 100,
  51, 60, 69, 80, 103, 113, 120, 103,
  61, 55, 56, 62,  77,  92, 101,  99,
];

/** Colour steps at quality 50. */
// prettier-ignore
const colourSteps: readonly number[] = [
  17, 18, 24, 47, 99, 99, 99, 99,
  18, 21, 26, 66, 99, 99, 99, 99,
  24, 26, 56, 99, 99, 99, 99, 99,
  47, 66, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
];

/**
 * What a JPEG of this quality leaves of a picture.
 *
 * @param x `[3, H, W]` in [0, 1]; padded with black to multiples of 16 on the right and below
 * @param quality above 0 and below 100; 100 would quantise by zero
 * @returns `[3, H, W]` in [0, 1]
 * @throws UsageError when the quality is out of range or `x` has not three planes
 */
export function diffJpeg(x: Planes, quality: number): Planes {
  const [channels, height, width] = sizeOf(x);
  if (!(quality > 0 && quality < 100)) {
    throw new UsageError(`jpeg: expected a quality above 0 and below 100, got ${quality}.`);
  }
  if (channels !== 3) throw new UsageError(`jpeg: expected 3 planes, got ${channels}.`);
  const { y, cb, cr, fullWidth, fullHeight } = toYcc(x.data, height, width);
  const factor = Math.fround((quality < 50 ? 5000 / quality : 200 - quality * 2) / 100);
  quantise(y, fullHeight, fullWidth, lumaSteps, factor);
  quantise(cb, fullHeight / 2, fullWidth / 2, colourSteps, factor);
  quantise(cr, fullHeight / 2, fullWidth / 2, colourSteps, factor);
  return tensor('float32', x.shape, toRgb(y, cb, cr, height, width, fullWidth));
}

/** Luma and subsampled colour, all less the 128 that the transform takes off. */
interface Ycc {
  readonly y: Float64Array;
  readonly cb: Float64Array;
  readonly cr: Float64Array;
  readonly fullWidth: number;
  readonly fullHeight: number;
}

function toYcc(rgb: Float32Array, height: number, width: number): Ycc {
  const fullHeight = Math.ceil(height / 16) * 16;
  const fullWidth = Math.ceil(width / 16) * 16;
  const area = height * width;
  const half = fullWidth / 2;
  const y = new Float64Array(fullHeight * fullWidth).fill(-128); // black
  const cb = new Float64Array(y.length / 4);
  const cr = new Float64Array(y.length / 4);
  for (let row = 0; row < height; row++) {
    const colourRow = (row >> 1) * half;
    const lumaRow = row * fullWidth;
    for (let column = 0, i = row * width; column < width; column++, i++) {
      const r = rgb[i]! * 255;
      const g = rgb[i + area]! * 255;
      const b = rgb[i + 2 * area]! * 255;
      const o = colourRow + (column >> 1);
      y[lumaRow + column] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
      cb[o]! += 0.25 * (-0.168736 * r - 0.331264 * g + 0.5 * b);
      cr[o]! += 0.25 * (0.5 * r - 0.418688 * g - 0.081312 * b);
    }
  }
  return { y, cb, cr, fullWidth, fullHeight };
}

/** Rounds every block's frequencies to multiples of their steps, in place. */
function quantise(
  plane: Float64Array,
  height: number,
  width: number,
  steps: readonly number[],
  factor: number,
): void {
  const step = Float64Array.from(steps, (value) => Math.fround(value * factor));
  const block = new Float64Array(64);
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      blockForward(plane, top * width + left, width, block);
      for (let i = 0; i < 64; i++) block[i] = roundEven(block[i]! / step[i]!) * step[i]!;
      blockInverse(block, plane, top * width + left, width);
    }
  }
}

function toRgb(
  y: Float64Array,
  cb: Float64Array,
  cr: Float64Array,
  height: number,
  width: number,
  fullWidth: number,
): Float32Array {
  const area = height * width;
  const half = fullWidth / 2;
  const rgb = new Float32Array(3 * area);
  for (let row = 0; row < height; row++) {
    const colourRow = (row >> 1) * half;
    const lumaRow = row * fullWidth;
    for (let column = 0, i = row * width; column < width; column++, i++) {
      const luma = y[lumaRow + column]! + 128;
      const blue = cb[colourRow + (column >> 1)]!;
      const red = cr[colourRow + (column >> 1)]!;
      rgb[i] = limited(luma + 1.402 * red);
      rgb[i + area] = limited(luma - 0.344136 * blue - 0.714136 * red);
      rgb[i + 2 * area] = limited(luma + 1.772 * blue);
    }
  }
  return rgb;
}

/** From 0..255 to 0..1, clamped. */
function limited(value: number): number {
  return value < 0 ? 0 : value > 255 ? 1 : value / 255;
}
