/** @file Element types of tensors, and the typed array that holds each in memory. */

/** Memory of each element type. `bool` is one byte an element. */
interface Arrays {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint16: Uint16Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** Names as numpy spells them. `float16` and `bfloat16` are kept as their bits in a Uint16Array. */
export type DType = keyof Arrays;

/** The typed array that holds elements of `dtype`. */
export type ArrayOf<D extends DType> = Arrays[D];

const arrays = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Bytes an element takes. */
export function bytesPerElement(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** A zeroed array of `length` elements of `dtype`. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  return new arrays[dtype](length) as unknown as ArrayOf<D>;
}

/**
 * The same little-endian bytes seen as elements of `dtype`; copied only when they lie unaligned.
 *
 * @throws RangeError when the bytes do not make whole elements.
 */
export function viewBytes<D extends DType>(dtype: D, bytes: Uint8Array): ArrayOf<D> {
  const size = bytesPerElement(dtype);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new arrays[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / size,
  ) as unknown as ArrayOf<D>;
}
