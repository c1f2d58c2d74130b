/** @file One row of the parity run: an array of the folder held against what the project computes. */
import { toFloat32 } from '../../src/tensor/float16.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';

/** What came of one array. */
export interface Row {
  readonly status: 'ok' | 'FAIL' | 'not-covered';
  /** Path below the folder, with `/`. */
  readonly file: string;
  readonly key: string;
  /** Largest absolute difference; of no meaning where the array is not covered. */
  readonly error: number;
  /** The largest that is ok. */
  readonly tolerance: number;
}

/** `ok vectors/vae.safetensors:encode.0.mean 1.2e-6 1e-4`. */
export function printRow({ status, file, key, error, tolerance }: Row): string {
  const numbers = status === 'not-covered' ? '- -' : `${short(error)} ${short(tolerance)}`;
  return `${status} ${file}:${key} ${numbers}`;
}

/** Three digits: `0`, `2`, `1.23e-6`. */
function short(value: number): string {
  const rounded = Number(value.toPrecision(3));
  const small = rounded !== 0 && Math.abs(rounded) < 0.01;
  return small ? rounded.toExponential() : String(rounded);
}

/** A row of an error that is known already. */
export function row(file: string, key: string, error: number, tolerance: number): Row {
  return { status: error <= tolerance ? 'ok' : 'FAIL', file, key, error, tolerance };
}

/** An array that no section computes. */
export function notCovered(file: string, key: string): Row {
  return { status: 'not-covered', file, key, error: Number.NaN, tolerance: Number.NaN };
}

/**
 * The row of an array that was computed in one or several forms: the worst of them counts. None at
 * all, another shape and a NaN are infinitely far off.
 */
export function compare(
  file: string,
  key: string,
  want: Tensor,
  got: readonly (Tensor | undefined)[],
  tolerance: number,
): Row {
  const errors = got.map((x) => (x ? errorOf(want, x) : Number.POSITIVE_INFINITY));
  return row(file, key, Math.max(...errors, errors.length > 0 ? 0 : Infinity), tolerance);
}

function errorOf(want: Tensor, got: Tensor): number {
  if (want.shape.join() !== got.shape.join()) return Number.POSITIVE_INFINITY;
  return want.data.length === 0 ? 0 : difference(numbers(want), numbers(got)).largest;
}

function numbers(x: Tensor): ArrayLike<number> {
  return x.dtype === 'float64' ? (x.data as Float64Array) : toFloat32(x).data;
}

/** The largest absolute value of an array. */
export function largest(x: Tensor): number {
  let most = 0;
  for (const value of numbers(x) as Float32Array) most = Math.max(most, Math.abs(value));
  return most;
}
