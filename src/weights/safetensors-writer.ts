/** @file Writing safetensors files one tensor at a time; the same tensors give the same bytes. */
import { bytesPerElement, type DType } from '../tensor/dtype.ts';
import { ShapeError } from '../tensor/errors.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { writeAtomically } from './atomic-file.ts';
import { quoted } from './quoted.ts';
import { dtypeNames } from './safetensors-header.ts';

/** A tensor to be written, whose data is asked for when its turn comes. */
export interface Planned {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly read: () => Tensor | Promise<Tensor>;
}

const spellings: ReadonlyMap<DType, string> = new Map(
  [...dtypeNames].map(([spelled, dtype]) => [dtype, spelled]),
);

/** A tensor at hand, as one to be written. */
export function planned(x: Tensor): Planned {
  return { dtype: x.dtype, shape: x.shape, read: () => x };
}

/**
 * Writes a safetensors file. The tensors stand in the order of safetensors' own writer, largest
 * element type first, then by name, so that every one is aligned to its element.
 *
 * @param metadata strings for `__metadata__`, written in the order of their keys
 * @throws PathError when the file cannot be written; what stood there is then untouched
 * @throws ShapeError when a tensor that was read is not as planned
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Planned>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const inOrder = [...tensors].sort(
    ([a, { dtype: p }], [b, { dtype: q }]) =>
      bytesPerElement(q) - bytesPerElement(p) || (a < b ? -1 : 1),
  );
  await writeAtomically(path, async (file) => {
    await file.writeFile(headerBytes(inOrder, metadata));
    for (const [name, plan] of inOrder) {
      const { dtype, shape, data } = await plan.read();
      const same = dtype === plan.dtype && shape.join() === plan.shape.join();
      if (!same || data.length !== elementCount(shape)) {
        throw new ShapeError(
          `tensor ${quoted(name)}: expected ${plan.dtype} [${plan.shape.join(', ')}], got ${dtype} [${shape.join(', ')}].`,
        );
      }
      await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}

/** Length and header. It is joined by hand: an object would move keys such as "7" to the front. */
function headerBytes(
  tensors: readonly (readonly [string, Planned])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const members: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    const strings = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    members.push(`"__metadata__":{${strings.join(',')}}`);
  }
  let start = 0;
  for (const [name, { dtype, shape }] of tensors) {
    if (name === '__metadata__') throw new ShapeError('a tensor may not be named "__metadata__".');
    const end = start + elementCount(shape) * bytesPerElement(dtype);
    const fields = { dtype: spellings.get(dtype), shape, data_offsets: [start, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(fields)}`);
    start = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20); // the format pads with spaces
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
