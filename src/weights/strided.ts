/** @file Tensors laid out with strides over a storage, gathered into row-major order. */
import { allocate, type ArrayOf, bytesPerElement, type DType, viewBytes } from '../tensor/dtype.ts';
import { elementCount, tensor, type Tensor } from '../tensor/tensor.ts';
import type { PickledTensor } from './pickle-values.ts';

/**
 * Reads a saved tensor, row-major.
 *
 * @param read bytes of its storage: from where, how many
 */
export async function readStrided(
  { storage: { dtype }, offset, shape, strides }: PickledTensor,
  read: (start: number, length: number) => Promise<Uint8Array>,
): Promise<Tensor> {
  const size = bytesPerElement(dtype);
  const data = viewBytes(dtype, await read(offset * size, spanOf(shape, strides) * size));
  return tensor(
    dtype,
    shape,
    isContiguous(shape, strides) ? data : gather(dtype, data, shape, strides),
  );
}

/** Whether sizes and strides describe row-major order without gaps. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Elements from the first to the last one of a tensor, both included; 0 when it is empty. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  if (elementCount(shape) === 0) return 0;
  return shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 1);
}

/** The elements of a strided tensor, whose first one is `source[0]`, in row-major order. */
function gather<D extends DType>(
  dtype: D,
  source: ArrayOf<D>,
  shape: readonly number[],
  strides: readonly number[],
): ArrayOf<D> {
  const out = allocate(dtype, elementCount(shape));
  const index = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = source[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
