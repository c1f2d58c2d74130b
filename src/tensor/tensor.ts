/** @file Dense row-major tensors: a type, a shape and a typed array. */
import { allocate, type ArrayOf, type DType } from './dtype.ts';
import { ShapeError } from './errors.ts';

/** A dense row-major tensor. `shape` lists sizes, outermost first; `[]` is a scalar. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ArrayOf<D>;
}

/** How many elements a shape holds; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor over `data`, which is not copied.
 *
 * @throws ShapeError when `data` has not as many elements as `shape` says.
 */
export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data: ArrayOf<D>,
): Tensor<D> {
  if (data.length !== elementCount(shape)) {
    throw new ShapeError(
      `tensor: expected ${elementCount(shape)} elements for [${shape.join(', ')}], got ${data.length}.`,
    );
  }
  return { dtype, shape, data };
}

/** A tensor of zeros. */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  return { dtype, shape, data: allocate(dtype, elementCount(shape)) };
}

/** A float32 tensor from plain numbers. */
export function float32(shape: readonly number[], data: ArrayLike<number>): Tensor<'float32'> {
  return tensor('float32', shape, Float32Array.from(data));
}
