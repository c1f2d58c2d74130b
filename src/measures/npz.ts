/** @file Arrays out of NumPy's .npz archives: a zip of .npy files (PKWARE APPNOTE; NumPy's format 1 to 3). */
import { inflateRawSync } from 'node:zlib';
import { FormatError } from '../tensor/errors.ts';

/** An array of doubles, row-major. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** No single array here needs more: the limit is against archives made to fill the memory. */
const largestArray = 1 << 28;

/**
 * The arrays of an archive by name.
 *
 * @param name what to call the archive in messages
 * @throws FormatError when it is no .npz, is cut off, or holds other than float32 or float64.
 */
export function readNpz(name: string, bytes: Uint8Array): Map<string, NpyArray> {
  try {
    const arrays = new Map<string, NpyArray>();
    for (const [file, content] of unzip(bytes)) {
      if (file.endsWith('.npy')) arrays.set(file.slice(0, -4), readNpy(content));
    }
    return arrays;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name}: expected a NumPy .npz archive, got ${reason}.`, { cause });
  }
}

/** The files of a zip archive, by its central directory. */
function* unzip(bytes: Uint8Array): Generator<[string, Uint8Array]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new Error('a file without a zip directory');
  const count = view.getUint16(end + 10, true);
  let entry = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (view.getUint32(entry, true) !== 0x02014b50) throw new Error('a damaged zip directory');
    const method = view.getUint16(entry + 10, true);
    const packed = view.getUint32(entry + 20, true);
    const size = view.getUint32(entry + 24, true);
    const nameLength = view.getUint16(entry + 28, true);
    const local = view.getUint32(entry + 42, true);
    const name = Buffer.from(bytes.subarray(entry + 46, entry + 46 + nameLength)).toString();
    // The local header repeats name and extra field, but its extra field may have another length.
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    yield [name, unpack(name, bytes.subarray(start, start + packed), method, size)];
    entry += 46 + nameLength + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
}

function unpack(name: string, packed: Uint8Array, method: number, size: number): Uint8Array {
  if (size > largestArray) throw new Error(`"${name}" of ${size} bytes, too large to be a prior`);
  if (method !== 0 && method !== 8) throw new Error(`"${name}" packed by method ${method}`);
  const content = method === 8 ? inflateRawSync(packed, { maxOutputLength: size }) : packed;
  if (content.length !== size) throw new Error(`"${name}" cut off`);
  return content;
}

function readNpy(bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (Buffer.from(bytes.subarray(1, 6)).toString('latin1') !== 'NUMPY') {
    throw new Error('a file in it that is no .npy');
  }
  const version = bytes[6];
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = Buffer.from(bytes.subarray(start, start + length)).toString('latin1');
  const type = /'descr':\s*'<f([48])'/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d, ]*)\)/.exec(header)?.[1];
  if (type === undefined || sizes === undefined) throw new Error(`an array of ${header.trim()}`);
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  const count = shape.reduce((product, n) => product * n, 1);
  const at = (i: number): number =>
    type === '8'
      ? view.getFloat64(start + length + 8 * i, true)
      : view.getFloat32(start + length + 4 * i, true);
  const stored = Float64Array.from({ length: count }, (_, i) => at(i));
  const columns = header.includes("'fortran_order': True");
  return { shape, data: columns ? toRowMajor(stored, shape) : stored };
}

function toRowMajor(data: Float64Array, shape: readonly number[]): Float64Array {
  if (shape.length < 2) return data;
  if (shape.length > 2) throw new Error(`a column-major array of ${shape.length} dimensions`);
  const [rows, columns] = shape as [number, number];
  return data.map((_, i) => data[(i % columns) * rows + Math.floor(i / columns)]!);
}
