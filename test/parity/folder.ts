/** @file A folder of reference vectors, laid out like `../shared/golden`, and the models in it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dim } from '../../src/graph/dims.ts';
import { Graph, type Target } from '../../src/graph/graph.ts';
import { compile } from '../../src/pipeline/compile.ts';
import { type Model, openModel } from '../../src/pipeline/model.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { decomposedSession } from '../helpers/decompose.ts';
import { readGolden } from '../helpers/golden.ts';
import type { Row } from './row.ts';

/** What the sections of the run share. */
export interface Folder {
  readonly root: string;
  readonly device: string;
  /** Networks in CUDA's form, its fused operators taken apart, on the processor. */
  readonly cudaForm: boolean;
  /** Largest error of an array that is ok. */
  readonly tolerance: number;
  /** The same for z_H, which the step enlarges: in units of its largest value. */
  readonly relative: number;
  /** Models that are open, by their paths and those of their LoRA. */
  readonly models: Map<string, Promise<Model>>;
}

/** One kind of vectors. */
export interface Section {
  /** Files it covers, by their paths below the folder. */
  readonly files: RegExp;
  /** Keys of these files that are inputs: they have no row of their own. */
  readonly inputs: RegExp;
  rows(folder: Folder, file: string): AsyncGenerator<Row>;
}

/**
 * A section whose rows come for a whole folder at once.
 *
 * @param all the rows of the folder at a path
 */
export function wholeFolder(
  files: RegExp,
  inputs: RegExp,
  all: (root: string) => AsyncIterable<Row>,
): Section {
  const known = new Map<string, Promise<readonly Row[]>>();
  const collect = async (root: string): Promise<readonly Row[]> => {
    const rows: Row[] = [];
    for await (const row of all(root)) rows.push(row);
    return rows;
  };
  return {
    files,
    inputs,
    async *rows({ root }, file) {
      const rows = known.get(root) ?? collect(root);
      known.set(root, rows);
      yield* (await rows).filter((row) => row.file === file);
    },
  };
}

/** GPUs sum in another order and in places with less precision. */
export function openFolder(root: string, device: string, cudaForm = false): Folder {
  const cpu = device === 'cpu';
  const [tolerance, relative] = cpu ? [1e-4, 2e-5] : [1e-3, 2e-4];
  return { root, device, cudaForm, tolerance, relative, models: new Map() };
}

/** Closes the models that were opened. */
export async function closeFolder({ models }: Folder): Promise<void> {
  const opened = await Promise.allSettled(models.values());
  for (const model of opened) if (model.status === 'fulfilled') await model.value.close();
  models.clear();
}

export function has({ root }: Folder, name: string): boolean {
  return existsSync(join(root, name));
}

/** Every array of a file. Read apart from the project's own reader, whose faults would hide else. */
export function arraysOf({ root }: Folder, name: string): ReadonlyMap<string, Tensor> {
  return readGolden(join(root, name));
}

/** A parsed JSON file. */
export function jsonOf({ root }: Folder, name: string): unknown {
  return JSON.parse(readFileSync(join(root, name), 'utf8'));
}

/** The folder of the model that a file of vectors is of: `sd1_unet.safetensors` of `tiny-sd1`. */
export function modelName(file: string): string {
  const [, prefix] = /\/(?!text_encoder)([a-z0-9]+)_[^/]+$/.exec(file) ?? [];
  return prefix === undefined ? baseModel : `${baseModel}-${prefix}`;
}

/** The other way round: a file of vectors of a model. */
export function vectorsOf(model: string, kind: string): string {
  const suffix = model.slice(baseModel.length).replace(/^-/, '');
  return `vectors/${suffix === '' ? '' : `${suffix}_`}${kind}.safetensors`;
}

/** The model that vectors without a prefix, LoRA and gradients are of. */
export const baseModel = 'models/tiny';

/** Opens a model of the folder, once, with LoRA merged in. */
export function modelOf(
  { root, models }: Folder,
  name: string,
  loras: readonly string[] = [],
): Promise<Model> {
  const key = [name, ...loras].join('\0');
  const known = models.get(key);
  if (known) return known;
  const paths = loras.map((lora) => join(root, lora));
  const model = openModel(join(root, name), paths);
  models.set(key, model);
  return model;
}

/** A form of a graph: for inference or training. */
export interface Form {
  readonly training: boolean;
}

/** Fused operators for inference, and the plain ones that have gradients. */
export const bothForms: readonly Form[] = [{ training: false }, { training: true }];

/** Builds a graph, binds weights to it, and runs it once. */
export async function run(
  { device, cudaForm }: Folder,
  model: Model,
  { training }: Form,
  feeds: Tensors,
  build: (graph: Graph) => void,
): Promise<Tensors> {
  const provider = cudaForm ? 'cuda' : (device.split(':')[0] as Target['device']);
  const graph = new Graph({ device: provider, training });
  build(graph);
  const session = cudaForm
    ? await decomposedSession(graph, model.read)
    : await compile(graph, model, { device, precision: 'fp32' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Whether sizes are multiples of `factor`, so that one graph for all sizes does. */
export function divides(factor: number, ...sizes: readonly number[]): boolean {
  return sizes.every((size) => size % factor === 0);
}

/** A size that is only known to be a multiple of `factor`. */
export function multiple(factor: number, symbol: string): Dim {
  return factor === 1 ? symbol : `${factor}*${symbol}`;
}
