/** @file What a section of the parity run yields, and comparisons that make it. */
import { access } from 'node:fs/promises';
import { toFloat32 } from '../../src/tensor/float16.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { openWeights } from '../../src/weights/source.ts';
import { compare as compareAll, largest, type Row } from './row.ts';

/** One array held against its reference. */
export type Line = Row;

/** Arrays by key, integers too, as float32. */
export type Arrays = ReadonlyMap<string, Tensor<'float32'>>;

/** Every array of a file. */
export async function readArrays(path: string): Promise<Arrays> {
  const source = await openWeights(path);
  try {
    const arrays = new Map<string, Tensor<'float32'>>();
    for (const key of source.entries.keys()) arrays.set(key, toFloat32(await source.read(key)));
    return arrays;
  } finally {
    await source.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Both arrays' place, and how far apart they may be. */
export interface Comparison {
  readonly file: string;
  readonly key: string;
  readonly expected: Tensor;
  /** Absent when the project computes no such array: a failure. */
  readonly got: Tensor | undefined;
  /** In units of the expected array's largest value, or as it stands. */
  readonly relative?: number;
  readonly absolute?: number;
}

/** The line of a comparison. A NaN anywhere fails, and so does another shape. */
export function compare({ file, key, expected, got, relative, absolute }: Comparison): Line {
  const tolerance = absolute ?? relative! * largest(expected);
  return compareAll(file, key, expected, [got], tolerance);
}
