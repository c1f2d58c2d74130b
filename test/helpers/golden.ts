/** @file Reference vectors of a sibling folder `../shared/golden`, which a clean clone does not have. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { viewBytes, type DType } from '../../src/tensor/dtype.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';

const root = new URL('../../../shared/golden/', import.meta.url);

const dtypes: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

/** The absolute path of a file or folder of the golden folder, or undefined where it is absent. */
export function golden(path: string): string | undefined {
  const absolute = fileURLToPath(new URL(path, root));
  return existsSync(absolute) ? absolute : undefined;
}

/**
 * Every tensor of a safetensors file, by key. Kept apart from `src/weights/safetensors.ts`, so that
 * a reader's fault cannot hide from the tests that use it.
 */
export function readGolden(path: string): Map<string, Tensor> {
  const bytes = new Uint8Array(readFileSync(path));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Tensor>();
  for (const [key, entry] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    const dtype = dtypes[entry.dtype];
    if (dtype === undefined) throw new Error(`${path}: no dtype ${entry.dtype}`);
    const [start, end] = entry.data_offsets;
    const view = viewBytes(dtype, bytes.slice(8 + length + start, 8 + length + end));
    tensors.set(key, tensor(dtype, entry.shape, view));
  }
  return tensors;
}
