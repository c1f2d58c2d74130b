/** @file Parts of measures on disk: imported from their official files, found, and opened. */
import { join, basename } from 'node:path';
import { UsageError, WeightError } from '../tensor/errors.ts';
import { toFloat32 } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Imported } from '../weights/import-model.ts';
import { importNetwork, networkFiles } from '../weights/import-network.ts';
import { type Precision, recordFile } from '../weights/manifest.ts';
import { openWeights, type WeightInfo, type WeightSource } from '../weights/source.ts';
import { listModels, resolveModel } from '../weights/store.ts';
import { type Part, type PartName, partOf, parts } from './parts.ts';

export interface PartImportOptions {
  readonly precision?: Precision | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Imports the weights of a measure. Which, their keys tell; of those with the same keys the file's hash,
 * else its name, else the most usual one is taken.
 *
 * @throws PathError or FormatError when the file cannot be read
 * @throws WeightError when it is none of a measure's
 * @throws UsageError when it holds what measures do without
 */
export async function importPart(file: string, options: PartImportOptions): Promise<Imported> {
  const source = withBareNames(await openWeights(file));
  try {
    const shapes = shapesOf(source);
    const part = await recognise(file, shapes, options.signal);
    return await importNetwork({
      ...options,
      name: part.name,
      kind: 'metric',
      class: part.title.replace(/'s? .*$/, ''),
      file,
      source,
      wanted: part.wanted(shapes),
      useless: part.useless,
      config: { part: part.name },
    });
  } finally {
    await source.close();
  }
}

async function recognise(
  file: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  signal: AbortSignal | undefined,
): Promise<Part> {
  const fitting = parts.filter((part) => part.fits(shapes));
  if (fitting.length === 0) throw unknown(file, shapes);
  if (fitting.length === 1) return fitting[0]!;
  const { sha256 } = await recordFile(file, signal);
  const name = basename(file);
  return (
    fitting.find(({ hash }) => hash !== undefined && sha256.startsWith(hash)) ??
    fitting.find(({ word }) => word?.test(name)) ??
    fitting[0]!
  );
}

function unknown(file: string, shapes: ReadonlyMap<string, unknown>): Error {
  if ([...shapes.keys()].some((key) => /^lins?\.?\d\.model\.1\.weight$/.test(key))) {
    return new UsageError(
      `${file}: expected a trunk of LPIPS, got its linear layers, which come with the program. Give ${partOf('alexnet').file} or ${partOf('vgg16').file}.`,
    );
  }
  const files = parts.map((part) => part.file).join(', ');
  return new WeightError(
    `${file}: expected the weights of a measure, got others. Give one of ${files}.`,
  );
}

/** Which parts are in the store. */
export async function installedParts(): Promise<ReadonlySet<PartName>> {
  const names = new Set(
    (await listModels()).flatMap((m) =>
      'manifest' in m && m.manifest?.kind === 'metric' ? [m.name] : [],
    ),
  );
  return new Set(parts.map(({ name }) => name).filter((name) => names.has(name)));
}

/** A part whose weights can be read. */
export interface OpenPart {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly read: (key: string) => Promise<Tensor<'float32'>>;
  /** Tells apart weights that differ. */
  readonly identity: string;
  close(): Promise<void>;
}

/**
 * Opens a part of the store.
 *
 * @throws PathError when it is not there
 * @throws UsageError when a model of another kind has its name
 */
export async function openPart(name: PartName): Promise<OpenPart> {
  const { folder, manifest } = await resolveModel(name);
  if (manifest?.kind !== 'metric') {
    throw new UsageError(
      `"${name}": expected the weights of a measure, got another kind of model. Remove it and import ${partOf(name).file}.`,
    );
  }
  const source = await openWeights(join(folder, networkFiles.weights));
  return {
    shapes: shapesOf(source),
    read: async (key) => toFloat32(await source.read(key)),
    identity: manifest.files[networkFiles.weights]!.sha256,
    close: () => source.close(),
  };
}

/** Some files hold `module.` before every name. */
function withBareNames(source: WeightSource): WeightSource {
  const stored = new Map(
    [...source.entries.keys()].map((key) => [key.replace(/^module\./, ''), key]),
  );
  const entries = new Map<string, WeightInfo>(
    [...stored].map(([name, key]) => [name, source.entries.get(key)!]),
  );
  return {
    label: source.label,
    entries,
    read: (name) => source.read(stored.get(name) ?? name),
    close: () => source.close(),
  };
}

function shapesOf({ entries }: WeightSource): ReadonlyMap<string, readonly number[]> {
  return new Map([...entries].map(([key, { shape }]) => [key, shape]));
}
