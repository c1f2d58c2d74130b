/**
 * @file Unsharp masking of the ground truth (Real-ESRGAN's `USMSharp`). OSEDiff has it commented out, and
 * it is off here unless the parameters ask for it.
 */
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { filter2d } from './filter.ts';
import { kernelWeights } from './kernels.ts';
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
export function sharpen(x: Planes, settings: Usm = realEsrganUsm): Planes {
  const { weight, threshold } = settings;
  const kernel = usmKernel(settings);
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

/**
 * The blur of `sharpen`: a Gaussian.
 *
 * @returns `[size, size]`
 */
export function usmKernel({ size, sigma }: Usm): Tensor<'float64'> {
  const deviation = sigma > 0 ? sigma : 0.3 * ((size - 1) / 2 - 1) + 0.8;
  const round = { sigmaX: deviation, sigmaY: deviation, theta: 0, beta: 1 };
  return kernelWeights({ kind: 'iso', size, ...round });
}
