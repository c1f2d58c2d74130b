/** @file Weights of the metrics' reference networks: by the recipe of a key list, or from a file. */
import { join } from 'node:path';
import { toFloat32 } from '../../src/tensor/float16.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { openWeights } from '../../src/weights/source.ts';
import { readKeys, type RecipeKey, recipeReader } from '../helpers/recipe.ts';
import type { Summary } from './metric-rows.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;
/** What modules compute, by their names. */
export type Activations = Readonly<Record<string, Summary>>;

/** A network's weights, by the names of its official file. */
export interface Weights {
  readonly shapes: Shapes;
  readonly read: (key: string) => Promise<Tensor<'float32'>>;
}

export function recipeWeights(keys: readonly RecipeKey[]): Weights {
  return { shapes: shapesOf(keys), read: recipeReader(keys) };
}

/** Every tensor of a file. */
export async function storedWeights(path: string): Promise<Weights> {
  const source = await openWeights(path);
  try {
    const tensors = new Map<string, Tensor<'float32'>>();
    for (const key of source.entries.keys()) tensors.set(key, toFloat32(await source.read(key)));
    return {
      shapes: new Map([...tensors].map(([key, { shape }]) => [key, shape])),
      read: async (key) => await Promise.resolve(tensors.get(key)!),
    };
  } finally {
    await source.close();
  }
}

export function keysAt(folder: string, name: string): readonly RecipeKey[] {
  return readKeys(join(folder, 'metrics', name));
}

export function shapesOf(keys: readonly RecipeKey[]): Shapes {
  return new Map(keys.map(({ name, shape }) => [name, shape]));
}

/** Heads of attention: 64 channels each in full-size networks, 4 in the reduced ones. */
export function headsFor(width: number): number {
  return width % 64 === 0 ? width / 64 : 4;
}
