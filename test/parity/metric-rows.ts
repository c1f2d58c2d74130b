/** @file What sections of the metrics' vectors share: leaves of JSON files as rows, graphs with recipe weights. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ReadWeight, selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { readPicture } from '../../src/image/codec.ts';
import { type Range, toPlanes } from '../../src/image/picture.ts';
import { toRgb, type Rgb } from '../../src/measures/rgb.ts';
import { createSession, type Tensors } from '../../src/runtime/session.ts';
import { elementCount, tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { type Row, row } from './row.ts';

/** A tensor told by a few of its values: all of them when there are few. */
export interface Summary {
  readonly shape: readonly number[];
  readonly samples: readonly number[];
}

/** As the folder's README suggests: of a number, or of the largest of several; near zero absolute. */
const relative = 1e-4;
const absolute = 1e-5;

/** Tolerance of numbers of which the largest is `largest`. */
export function toleranceFor(largest: number): number {
  return Math.max(absolute, relative * Math.abs(largest));
}

/** The row of one or several numbers. */
export function numbersRow(
  file: string,
  key: string,
  want: ArrayLike<number> | number,
  got: ArrayLike<number> | number,
  tolerance?: number,
): Row {
  const [a, b] = [want, got].map((x) => (typeof x === 'number' ? [x] : Array.from(x)));
  const largest = a!.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  let error = a!.length === b!.length && a!.length > 0 ? 0 : Infinity;
  a!.forEach((v, i) => {
    const difference = Math.abs(v - (b![i] ?? NaN));
    error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
  });
  return row(file, key, error, tolerance ?? toleranceFor(largest));
}

/** The row of a summary: the samples stand for values at places spread evenly. */
export function summaryRow(file: string, key: string, want: Summary, got: Tensor | undefined): Row {
  const { samples, shape } = want;
  if (!got || elementCount(shape) !== got.data.length) return row(file, key, Infinity, 0);
  const n = got.data.length;
  const at = (k: number): number =>
    samples.length === n ? k : Math.floor((k * n) / samples.length);
  return numbersRow(
    file,
    key,
    samples,
    samples.map((_, k) => Number(got.data[at(k)])),
  );
}

export function jsonAt(folder: string, name: string): unknown {
  return JSON.parse(readFileSync(join(folder, 'metrics', name), 'utf8')) as unknown;
}

/** A picture of the folder as networks take it: `[1, 3, H, W]`. */
export async function planesAt(
  folder: string,
  name: string,
  range: Range,
): Promise<Tensor<'float32'>> {
  const { shape, data } = toPlanes(await readPicture(join(folder, 'metrics', name)), range);
  return tensor('float32', [1, ...shape], data);
}

export async function rgbAt(folder: string, name: string): Promise<Rgb> {
  return toRgb(await readPicture(join(folder, 'metrics', name)));
}

/**
 * Runs a graph once, with outputs and the modules that `modules` names: each by its own name, or by
 * that of its value.
 */
export async function runNetwork(
  feeds: Tensors,
  read: ReadWeight,
  build: (graph: Graph, input: (name: string) => Value) => void,
  modules: Readonly<Record<string, string>> = {},
): Promise<Tensors> {
  const graph = new Graph();
  build(graph, (name) => graph.input(name, feeds[name]!.dtype, feeds[name]!.shape));
  for (const [name, path] of Object.entries(modules)) {
    const value = graph.modules.get(path);
    if (value) graph.output(name, value);
  }
  const session = await createSession(await selfContained(emit(graph, { file: '' }), read));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
