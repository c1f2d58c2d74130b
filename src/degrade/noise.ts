/** @file Gaussian and Poisson noise (basicsr `generate_gaussian_noise_pt`, `generate_poisson_noise_pt`). */
import { ShapeError } from '../tensor/errors.ts';
import { tensor } from '../tensor/tensor.ts';
import { sizeOf, toByte, type Planes } from './planes.ts';

const { fround } = Math;

/** How many random numbers noise takes: one a pixel when grey, else one a sample. */
export function noiseCount(x: Planes, grey: boolean): number {
  const [channels, height, width] = sizeOf(x);
  return (grey ? 1 : channels) * height * width;
}

/**
 * Adds Gaussian noise and clamps to [0, 1].
 *
 * @param x `[C, H, W]` in [0, 1]
 * @param sigma standard deviation in 1/255
 * @param normal draws from N(0, 1): `C * H * W`, or `H * W` for grey noise, the same in every plane
 * @throws ShapeError when `normal` is of another length
 */
export function gaussianNoise(x: Planes, sigma: number, normal: Float32Array): Planes {
  checkLength(x, normal.length);
  const factor = fround(sigma);
  const out = new Float32Array(x.data.length);
  for (let i = 0, n = 0; i < out.length; i++, n++) {
    if (n === normal.length) n = 0;
    out[i] = limited(x.data[i]! + fround(fround(normal[n]! * factor) / 255));
  }
  return tensor('float32', x.shape, out);
}

/** What Poisson noise is drawn from: a picture's 8-bit samples, and the count that stands for 255. */
export interface PoissonBase {
  /** `C * H * W` samples, or `H * W` of the luma when grey. */
  readonly bytes: Uint8Array;
  /** A power of two, at least the number of different samples: 1..256. */
  readonly levels: number;
}

/**
 * The rates of Poisson noise: sample / 255 * levels. Luma is 0.2989 R + 0.587 G + 0.114 B.
 *
 * @param x `[3, H, W]` in [0, 1]
 * @throws ShapeError when grey noise is asked for a picture without three planes
 */
export function poissonBase(x: Planes, grey: boolean): PoissonBase {
  const values = grey ? luma(x) : x.data;
  const bytes = new Uint8Array(values.length);
  const seen = new Uint8Array(256);
  for (let i = 0; i < bytes.length; i++) {
    const byte = toByte(values[i]!);
    bytes[i] = byte;
    seen[byte] = 1;
  }
  const distinct = seen.reduce((sum, one) => sum + one, 0);
  return { bytes, levels: 2 ** Math.ceil(Math.log2(distinct)) };
}

/**
 * Adds Poisson noise and clamps to [0, 1]: `x + (counts / levels - sample / 255) * scale`.
 *
 * @param x `[C, H, W]` in [0, 1]
 * @param scale strength, a factor on the noise
 * @param counts a Poisson count for each sample of `base`
 * @throws ShapeError when `counts` is of another length than the samples or does not fit `x`
 */
export function poissonNoise(
  x: Planes,
  scale: number,
  { bytes, levels }: PoissonBase,
  counts: Float32Array,
): Planes {
  checkLength(x, counts.length);
  if (counts.length !== bytes.length) {
    throw new ShapeError(`noise: expected ${bytes.length} counts, got ${counts.length}.`);
  }
  const factor = fround(scale);
  const out = new Float32Array(x.data.length);
  for (let i = 0, n = 0; i < out.length; i++, n++) {
    if (n === counts.length) n = 0;
    const noise = fround(counts[n]! / levels - fround(bytes[n]! / 255));
    out[i] = limited(x.data[i]! + fround(noise * factor));
  }
  return tensor('float32', x.shape, out);
}

function luma(x: Planes): Float32Array {
  const [channels, height, width] = sizeOf(x);
  if (channels !== 3) throw new ShapeError(`noise: expected 3 planes, got ${channels}.`);
  const area = height * width;
  const out = new Float32Array(area);
  for (let i = 0; i < area; i++) {
    const [r, g, b] = [x.data[i]!, x.data[i + area]!, x.data[i + 2 * area]!];
    const rg = fround(fround(r * fround(0.2989)) + fround(g * fround(0.587)));
    out[i] = rg + fround(b * fround(0.114));
  }
  return out;
}

/** Refuses random numbers that are neither one a pixel nor one a sample. */
function checkLength(x: Planes, count: number): void {
  const [channels, height, width] = sizeOf(x);
  const pixels = height * width;
  if (count !== pixels && count !== channels * pixels) {
    throw new ShapeError(
      `noise: expected ${pixels} or ${channels * pixels} random numbers for [${x.shape.join(', ')}], got ${count}.`,
    );
  }
}

function limited(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
