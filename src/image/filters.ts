/** @file Resampling filters and their weights, as Pillow's `Resample.c` places them. */

/** `area` averages with the covered share of each pixel as its weight (OpenCV's INTER_AREA). */
export type Filter = 'bicubic' | 'lanczos' | 'area';

/** Which source samples make each output sample: `taps[i]` of them from `first[i]`, weights at `i * stride`. */
export interface Weights {
  readonly first: Int32Array;
  readonly taps: Int32Array;
  readonly stride: number;
  readonly values: Float64Array;
}

/** Keys' cubic with a = -0.5, zero from 2 on. */
function bicubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** sinc windowed by a sinc three times as wide, zero from 3 on. */
function lanczos(x: number): number {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

const kernels = {
  bicubic: { support: 2, at: bicubic },
  lanczos: { support: 3, at: lanczos },
};

/**
 * Weights of a kernel that widens with the reduction, so that reducing does not alias.
 *
 * Output i looks at the source around (i + 0.5) * scale; the pixels whose middles lie within the
 * support take part, and what the border cuts away is made up for by normalising to 1.
 */
function kernelWeights(from: number, to: number, filter: 'bicubic' | 'lanczos'): Weights {
  const { support: unitSupport, at } = kernels[filter];
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const narrowing = 1 / widening; // multiplied, as in Pillow, so that the last bits agree
  const support = unitSupport * widening;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const taps = new Int32Array(to);
  const values = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(center - support + 0.5), 0);
    const high = Math.min(Math.trunc(center + support + 0.5), from);
    first[i] = low;
    taps[i] = high - low;
    let sum = 0;
    for (let k = 0; k < high - low; k++) {
      const w = at((k + low - center + 0.5) * narrowing);
      values[i * stride + k] = w;
      sum += w;
    }
    for (let k = 0; k < high - low; k++) values[i * stride + k]! /= sum;
  }
  return { first, taps, stride, values };
}

/** Weights by the share of each source pixel that an output pixel covers. */
function areaWeights(from: number, to: number): Weights {
  const scale = from / to;
  const stride = Math.ceil(scale) + 1;
  const first = new Int32Array(to);
  const taps = new Int32Array(to);
  const values = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    // i * from / to, not i * scale: the borders of whole-number reductions stay exact.
    const start = (i * from) / to;
    const end = ((i + 1) * from) / to;
    const low = Math.floor(start);
    const high = Math.min(Math.ceil(end), from);
    first[i] = low;
    taps[i] = high - low;
    for (let k = 0; k < high - low; k++) {
      const covered = Math.min(end, low + k + 1) - Math.max(start, low + k);
      values[i * stride + k] = covered / (end - start);
    }
  }
  return { first, taps, stride, values };
}

/** The weights that turn a line of `from` samples into one of `to`. Each output's weights sum to 1. */
export function filterWeights(from: number, to: number, filter: Filter): Weights {
  return filter === 'area' ? areaWeights(from, to) : kernelWeights(from, to, filter);
}

/** Weights of one direction and the size they lead to. */
export interface Pass {
  readonly to: number;
  readonly weights: Weights;
}

/** The part of a pass that makes outputs `from` to `to`, over source samples counted from `origin`. */
export function slicePass({ weights }: Pass, from: number, to: number, origin: number): Pass {
  const { first, taps, stride, values } = weights;
  return {
    to: to - from,
    weights: {
      first: first.slice(from, to).map((at) => at - origin),
      taps: taps.subarray(from, to),
      stride,
      values: values.subarray(from * stride, to * stride),
    },
  };
}
