/** @file PSNR on Y of BT.601, as in Table 1 of the paper: studio range, not rounded, no border cut. */
import { studioWeights } from './luma.ts';
import { requireSameSize, type Rgb } from './rgb.ts';

/** Mean square errors gain this much, so that equal pictures score 80 dB rather than infinity. */
const floor = 1e-8;

/**
 * Peak signal-to-noise ratio in dB, larger is better; 80 for equal pictures.
 *
 *     PSNR = 10 log10(1 / (mean((Y - Y')^2) + 1e-8)),  Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255
 *
 * @throws ShapeError when the sizes differ.
 */
export function psnr(result: Rgb, reference: Rgb): number {
  requireSameSize('psnr', result, reference);
  const [r, g, b] = studioWeights;
  const x = result.data;
  const y = reference.data;
  let sum = 0;
  for (let i = 0; i < x.length; i += 3) {
    // Y is linear, so its difference comes from the bytes' differences.
    const difference =
      r * (x[i]! - y[i]!) + g * (x[i + 1]! - y[i + 1]!) + b * (x[i + 2]! - y[i + 2]!);
    sum += difference * difference;
  }
  const meanSquare = sum / (x.length / 3) / (1000 * 255 * 255) ** 2;
  return 10 * Math.log10(1 / (meanSquare + floor));
}
