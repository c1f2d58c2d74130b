/** @file How sharp a result is beside its reference: gradient energy and the power of fine detail. Our own. */
import { makeFft } from './fft.ts';
import { studioLuma } from './luma.ts';
import { requireSameSize, type Rgb } from './rgb.ts';

/**
 * Mean gradient energy of the result over the reference's: 1 is as sharp, blur lies far below,
 * noise and ringing above. NaN when the reference is flat.
 *
 *     mean((Y[i+1, j] - Y[i, j])^2) + mean((Y[i, j+1] - Y[i, j])^2)
 *
 * @throws ShapeError when the sizes differ.
 */
export function gradientRatio(result: Rgb, reference: Rgb): number {
  requireSameSize('gradient', result, reference);
  return gradientEnergy(result) / gradientEnergy(reference);
}

function gradientEnergy(picture: Rgb): number {
  const { width, height } = picture;
  const y = studioLuma(picture);
  const [down, across] = [squaredSteps(y, width, width), squaredSteps(y, 1, width)];
  return down / (width * (height - 1)) + across / ((width - 1) * height);
}

/** Sum of squared differences of pixels `step` apart in one row or column. */
function squaredSteps(y: Float64Array, step: number, width: number): number {
  let sum = 0;
  for (let i = 0; i + step < y.length; i++) {
    if (step === 1 && (i + 1) % width === 0) continue;
    sum += (y[i + step]! - y[i]!) ** 2;
  }
  return sum;
}

/** Power of the result over the reference's, in two bands of spatial frequency. */
export interface BandRatios {
  /** At and above half the Nyquist frequency, in whichever direction. */
  readonly high: number;
  /** From a quarter to half of it. */
  readonly middle: number;
}

/**
 * Ratios of power in the fine and the middle detail of Y, mean removed, under a Hann window: 1 is
 * as the reference.
 *
 * @throws ShapeError when the sizes differ.
 */
export function bandRatios(result: Rgb, reference: Rgb): BandRatios {
  requireSameSize('bands', result, reference);
  const { width, height } = result;
  // Two real pictures as the two parts of a complex one: one transform serves both.
  const re = windowed(result);
  const im = windowed(reference);
  transform(re, im, width, height);
  const powers: { high: Power; middle: Power } = { high: [0, 0], middle: [0, 0] };
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const radius = Math.hypot(frequency(i, height), frequency(j, width));
      if (radius < 0.25) continue;
      const k = i * width + j;
      const mirror = ((height - i) % height) * width + ((width - j) % width);
      const band = radius < 0.5 ? powers.middle : powers.high;
      band[0] += ((re[k]! + re[mirror]!) ** 2 + (im[k]! - im[mirror]!) ** 2) / 4;
      band[1] += ((re[k]! - re[mirror]!) ** 2 + (im[k]! + im[mirror]!) ** 2) / 4;
    }
  }
  const { high, middle } = powers;
  return { high: high[0] / high[1], middle: middle[0] / middle[1] };
}

type Power = [result: number, reference: number];

/** Frequency of a transform's line `i` of `n`, in units of Nyquist's, without its sign. */
function frequency(i: number, n: number): number {
  return (2 * Math.min(i, n - i)) / n;
}

function windowed(picture: Rgb): Float64Array {
  const { width, height } = picture;
  const y = studioLuma(picture);
  const mean = y.reduce((sum, v) => sum + v, 0) / y.length;
  const [columns, rows] = [hann(width), hann(height)];
  return y.map((v, i) => {
    const column = i % width;
    return (v - mean) * columns[column]! * rows[(i - column) / width]!;
  });
}

function hann(n: number): Float64Array {
  const at = (i: number): number =>
    n === 1 ? 1 : 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1));
  return Float64Array.from({ length: n }, (_, i) => at(i));
}

/** The Fourier transform of `height` rows of `width` complex values, in place. */
function transform(re: Float64Array, im: Float64Array, width: number, height: number): void {
  const rows = makeFft(width);
  for (let i = 0; i < re.length; i += width) {
    rows(re.subarray(i, i + width), im.subarray(i, i + width));
  }
  const columns = makeFft(height);
  const [a, b] = [new Float64Array(height), new Float64Array(height)];
  for (let j = 0; j < width; j++) {
    for (let i = 0, k = j; i < height; i++, k += width) [a[i], b[i]] = [re[k]!, im[k]!];
    columns(a, b);
    for (let i = 0, k = j; i < height; i++, k += width) [re[k], im[k]] = [a[i]!, b[i]!];
  }
}
