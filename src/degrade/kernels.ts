/** @file Blur kernels of Real-ESRGAN (Wang et al. 2021, section 3; basicsr `data/degradations.py`). */
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { besselJ1 } from './bessel.ts';

/** Kernels that fall off with the Mahalanobis distance; names as Real-ESRGAN's params file has them. */
export type BlurKind =
  'iso' | 'aniso' | 'generalized_iso' | 'generalized_aniso' | 'plateau_iso' | 'plateau_aniso';

/** A kernel around an ellipse; the `iso` kinds have sigmaX = sigmaY and theta = 0. */
export interface BlurKernel {
  readonly kind: BlurKind;
  /** Side in pixels, odd. */
  readonly size: number;
  /** Standard deviations along the ellipse's axes, in pixels. */
  readonly sigmaX: number;
  readonly sigmaY: number;
  /** Angle of the ellipse's first axis, in radians. */
  readonly theta: number;
  /** Shape: 1 for the plain Gaussians `iso` and `aniso`, which do not look at it. */
  readonly beta: number;
}

/** An ideal low-pass filter over a disc of frequencies, cut to a square: it rings. */
export interface SincKernel {
  readonly kind: 'sinc';
  /** Side in pixels, odd. */
  readonly size: number;
  /** Cutoff in radians a pixel, up to pi. */
  readonly omega: number;
}

/** Any kernel, as plain numbers. */
export type Kernel = BlurKernel | SincKernel;

/**
 * The weights of a kernel, which sum to 1.
 *
 * @returns `[size, size]`, rows from the top
 */
export function kernelWeights(kernel: Kernel): Tensor<'float64'> {
  const { size } = kernel;
  const weight = kernel.kind === 'sinc' ? sinc(kernel) : falloff(kernel);
  const radius = (size - 1) / 2;
  const data = new Float64Array(size * size);
  for (let y = -radius, i = 0; y <= radius; y++) {
    for (let x = -radius; x <= radius; x++) data[i++] = weight(x, y);
  }
  const total = data.reduce((sum, value) => sum + value, 0);
  return tensor(
    'float64',
    [size, size],
    data.map((value) => value / total),
  );
}

type Weight = (x: number, y: number) => number;

/**
 * With the covariance `S = R diag(sigmaX^2, sigmaY^2) R^T`, `R` the rotation by theta, and
 * `q = (x, y) S^-1 (x, y)^T`:
 *
 *     gaussian     exp(-q / 2)
 *     generalized  exp(-q^beta / 2)
 *     plateau      1 / (1 + q^beta)
 */
function falloff({ kind, sigmaX, sigmaY, theta, beta }: BlurKernel): Weight {
  const [c, s] = [Math.cos(theta), Math.sin(theta)];
  const [u, v] = [1 / sigmaX ** 2, 1 / sigmaY ** 2];
  const xx = c * c * u + s * s * v;
  const xy = 2 * c * s * (u - v);
  const yy = s * s * u + c * c * v;
  const q: Weight = (x, y) => xx * x * x + xy * x * y + yy * y * y;
  switch (kind) {
    case 'iso':
    case 'aniso':
      return (x, y) => Math.exp(-0.5 * q(x, y));
    case 'generalized_iso':
    case 'generalized_aniso':
      return (x, y) => Math.exp(-0.5 * q(x, y) ** beta);
    case 'plateau_iso':
    case 'plateau_aniso':
      return (x, y) => 1 / (1 + q(x, y) ** beta);
  }
}

/**
 * Inverse Fourier transform of a disc of radius omega, r from the middle:
 * `omega J1(omega r) / (2 pi r)`, and `omega^2 / (4 pi)` at r = 0.
 */
function sinc({ omega }: SincKernel): Weight {
  const byDistance = new Map<number, number>(); // eight pixels mostly share one
  return (x, y) => {
    const square = x * x + y * y;
    if (square === 0) return omega ** 2 / (4 * Math.PI);
    let value = byDistance.get(square);
    if (value === undefined) {
      const r = Math.sqrt(square);
      byDistance.set(square, (value = (omega * besselJ1(omega * r)) / (2 * Math.PI * r)));
    }
    return value;
  };
}
