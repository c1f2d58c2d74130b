/** @file Weights made of their names, so that full-size networks can be held against stored results. */
import { readFileSync } from 'node:fs';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';

/** A line of a key list: what the checkpoint holds under a name, and how it is filled. */
export interface RecipeKey {
  readonly name: string;
  readonly shape: readonly number[];
  /** Absent where the tensor is kept as it was made: it cannot influence the result. */
  readonly fill?: { readonly offset: number; readonly amplitude: number };
}

/** Reads a list such as `../shared/golden/metrics/keys-fid.txt`. */
export function readKeys(path: string): readonly RecipeKey[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name, shape, offset, amplitude] = line.split('\t');
      const key = { name: name!, shape: JSON.parse(shape!) as number[] };
      if (offset === 'keep') return key;
      return { ...key, fill: { offset: Number(offset), amplitude: Number(amplitude) } };
    });
}

/** FNV-1a, 32 bits, of the UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/**
 * The tensor of a line: a hash of the name and the index, in [-1, 1), times the amplitude, plus the
 * offset.
 */
export function fillKey({ name, shape, fill }: RecipeKey): Tensor<'float32'> {
  const { offset, amplitude } = fill!;
  const seed = fnv1a(name);
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    let h = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
    data[i] = offset + amplitude * ((h >>> 8) / 2 ** 23 - 1);
  }
  return { dtype: 'float32', shape, data };
}

/** Reads the tensors of a list as a checkpoint's are read. */
export function recipeReader(
  keys: readonly RecipeKey[],
): (name: string) => Promise<Tensor<'float32'>> {
  const byName = new Map(keys.map((key) => [key.name, key]));
  return async (name) => {
    const key = byName.get(name);
    if (!key?.fill) throw new Error(`the list has no "${name}" that may be read`);
    return await Promise.resolve(fillKey(key));
  };
}
