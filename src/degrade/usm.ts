/**
 * @file Unsharp masking of the ground truth (Real-ESRGAN's `USMSharp`). OSEDiff has it commented out, and
 * it is off here unless the parameters ask for it.
 */
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { filter2d } from './filter.ts';
import { clamp, type Planes } from './planes.ts';

/** Settings of `sharpen`. */
export interface Usm {
  /** Side of the blur in pixels, odd. */
  readonly size: number;
  /** Standard deviation of the blur in pixels; 0 takes OpenCV's rule, 0.3 ((size - 1) / 2 - 1) + 0.8. */
  readonly sigma: number;
  /** How much of the detail is added. */
  readonly weight: number;
  /** Detail below this many 1/255 is left as it is. */
  readonly threshold: number;
}

/** Real-ESRGAN's: radius 50, made odd. */
export const realEsrganUsm: Usm = { size: 51, sigma: 0, weight: 0.5, threshold: 10 };

/**
 * Adds detail where there is enough of it; the mask that says where is blurred too.
 *
 * @param x `[3, H, W]` in [0, 1]
 */
export function sharpen(
  x: Planes,
  { size, sigma, weight, threshold }: Usm = realEsrganUsm,
): Planes {
  const kernel = gaussian(size, sigma);
  const blurred = filter2d(x, kernel).data;
  const detail = x.data.map((value, i) => value - blurred[i]!);
  const mask = detail.map((value) => (Math.abs(value) * 255 > threshold ? 1 : 0));
  const soft = filter2d(tensor('float32', x.shape, mask), kernel).data;
  const sharp = clamp(
    tensor(
      'float32',
      x.shape,
      x.data.map((value, i) => value + weight * detail[i]!),
    ),
  ).data;
  return tensor(
    'float32',
    x.shape,
    x.data.map((value, i) => soft[i]! * sharp[i]! + (1 - soft[i]!) * value),
  );
}

/** The outer square of a Gaussian line. */
function gaussian(size: number, sigma: number): Tensor<'float64'> {
  const deviation = sigma > 0 ? sigma : 0.3 * ((size - 1) / 2 - 1) + 0.8;
  const line = Array.from({ length: size }, (_, i) =>
    Math.exp(-0.5 * ((i - (size - 1) / 2) / deviation) ** 2),
  );
  const total = line.reduce((sum, value) => sum + value, 0) ** 2;
  const data = Float64Array.from(line.flatMap((a) => line.map((b) => (a * b) / total)));
  return tensor('float64', [size, size], data);
}
