/** @file Writes a checked model into the store: converted and hashed beside its place, then renamed. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { PathError, WeightError } from '../tensor/errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { convertWeights } from './convert.ts';
import { bundledFolder } from './data-folder.ts';
import { findLicence } from './licence.ts';
import type { Lora } from './lora.ts';
import { writeLora } from './lora-file.ts';
import {
  type FileRecord,
  type Manifest,
  newManifest,
  type PartSummary,
  type Precision,
  type PromptKind,
  recordFile,
  writeManifest,
} from './manifest.ts';
import {
  configFiles,
  type JsonObject,
  loraName,
  type PartName,
  weightsName,
} from './model-folder.ts';
import { errorCode, pathError } from './path-errors.ts';
import { quoted } from './quoted.ts';
import { pathInside } from './safe-path.ts';
import type { WeightSource } from './source.ts';
import { checkName, makeStore, removeLeftovers, temporaryFolder } from './store.ts';

/** A part whose weights fit its config. */
export interface CheckedPart {
  readonly part: PartName;
  readonly config: JsonObject;
  readonly source: WeightSource;
  /** Shape of each weight that is to be stored, by its key without the part in front. */
  readonly wanted: ReadonlyMap<string, readonly number[]>;
}

/** A checked model and how to store it. */
export interface CheckedModel {
  readonly name: string;
  readonly parts: readonly CheckedPart[];
  readonly lora: Lora | undefined;
  /** Where the LoRA was read from. */
  readonly loras?: readonly string[];
  /** Small files to be copied, by their paths below the folder. */
  readonly companions: readonly string[];
  readonly precision?: Precision | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a model to `target`. Nothing is left of it when that fails.
 *
 * @param folder where it comes from
 * @throws PathError when the place is taken or cannot be written
 * @throws WeightError naming a weight too large for the precision
 * @throws the signal's reason when it is aborted
 */
export async function writeModel(
  folder: string,
  target: string,
  model: CheckedModel,
): Promise<Manifest> {
  const { name, parts, lora, companions } = model;
  const precision = model.precision ?? storedPrecision(parts);
  return writeFolder(target, model, async (beside) => {
    const names = [...configFiles(parts.map(({ part }) => part)), ...companions];
    const copied = await copyFiles(folder, beside, names);
    const written = await writeWeights(beside, model, precision);
    const licences = companions.filter((file) => !file.includes('/'));
    const fields = {
      name,
      source: {
        folder: resolve(folder),
        weights: Object.fromEntries(parts.map(({ part, source }) => [part, source.label])),
        loras: (model.loras ?? []).map((file) => resolve(file)),
      },
      licence: await findLicence(folder, licences),
      precision,
      prompt: promptOf(lora),
      parts: Object.fromEntries(parts.map((part) => [part.part, summary(part)])),
    };
    return { files: [...copied, ...written], fields };
  });
}

/** What a model's folder holds but for its manifest, and what that says beside the files. */
interface Written {
  readonly files: readonly string[];
  readonly fields: Omit<Manifest, 'formatVersion' | 'created' | 'files'>;
}

/**
 * Has `write` fill a hidden folder, hashes its files, and gives it the place `target`.
 *
 * @throws PathError when the place is taken or cannot be written; nothing is left then
 */
export async function writeFolder(
  target: string,
  { name, signal }: { readonly name: string; readonly signal?: AbortSignal | undefined },
  write: (beside: string) => Promise<Written>,
): Promise<Manifest> {
  const beside = temporaryFolder('import', name);
  try {
    await mkdir(beside, { recursive: true });
    const { files, fields } = await write(beside);
    const records: [string, FileRecord][] = [];
    for (const file of files.toSorted()) {
      records.push([file, await recordFile(join(beside, file), signal)]);
    }
    const manifest = newManifest({ ...fields, files: Object.fromEntries(records) });
    await writeManifest(beside, manifest);
    signal?.throwIfAborted();
    await rename(beside, target);
    return manifest;
  } catch (error) {
    const lost = ['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error)); // to another import
    throw lost ? nameTaken(name) : pathError(target, error);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/**
 * The place in the store of a new model.
 *
 * @throws UsageError for a bad name
 * @throws PathError when the name is taken
 */
export async function freePlace(name: string): Promise<string> {
  checkName(name);
  const target = join(await makeStore(), name);
  await removeLeftovers();
  // A stored model may not hide a bundled one, which commands use by default.
  const bundled = bundledFolder();
  const places = [target, ...(bundled ? [join(bundled, name)] : [])];
  const found = await Promise.all(places.map((path) => stat(path).catch(() => undefined)));
  if (found.some(Boolean)) throw nameTaken(name);
  return target;
}

/** The error for a name that another model has. */
function nameTaken(name: string): PathError {
  return new PathError(
    `${quoted(name)}: expected a new name, got that of a model that is there. Choose another, or remove an imported one with "osediff model remove ${name}".`,
  );
}

async function writeWeights(
  beside: string,
  { parts, lora, onProgress, signal }: CheckedModel,
  precision: Precision,
): Promise<readonly string[]> {
  const total = parts.reduce((sum, part) => sum + parameters(part), 0);
  let done = 0;
  const onTensor = (elements: number): void => onProgress?.((done += elements), total);
  const files: string[] = [];
  for (const { part, source, wanted } of parts) {
    const file = weightsName(part);
    await mkdir(join(beside, part), { recursive: true });
    const path = join(beside, file);
    await convertWeights(path, source, wanted.keys(), precision, { onTensor, signal });
    files.push(file);
  }
  if (!lora) return files;
  await writeLora(join(beside, loraName), lora);
  return [...files, loraName];
}

/**
 * Copies those of the files that there are, and returns their names. The copies are the user's to
 * change, whatever the permissions of the originals.
 */
async function copyFiles(from: string, to: string, names: readonly string[]): Promise<string[]> {
  const copied: string[] = [];
  for (const name of names) {
    if (!(await stat(join(from, name)).catch(() => undefined))) continue;
    const bytes = await readFile(await pathInside(from, name));
    await mkdir(dirname(join(to, name)), { recursive: true });
    await writeFile(join(to, name), bytes);
    copied.push(name);
  }
  return copied;
}

function storedPrecision(parts: readonly CheckedPart[]): Precision {
  const types = parts.flatMap(({ source, wanted }) =>
    [...wanted.keys()].map((key) => source.entries.get(key)!.dtype),
  );
  return types.every((dtype) => dtype === 'float16') ? 'fp16' : 'fp32';
}

function parameters({ wanted }: CheckedPart): number {
  return [...wanted.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
}

/** Values of a config that tell models apart. */
const telling = [
  'in_channels',
  'block_out_channels',
  'cross_attention_dim',
  'attention_head_dim',
  'use_linear_projection',
  'latent_channels',
  'scaling_factor',
  'hidden_size',
  'num_hidden_layers',
];

function summary(part: CheckedPart): PartSummary {
  const { config } = part;
  const classes = [config['_class_name'], config['architectures']].flat();
  return {
    class: classes.find((name) => typeof name === 'string') ?? 'unknown',
    parameters: parameters(part),
    config: Object.fromEntries(
      telling.filter((key) => key in config).map((key) => [key, config[key]]),
    ),
  };
}

function promptOf(lora: Lora | undefined): PromptKind {
  const kind = lora?.metadata['osediff.prompt'] ?? 'null-prompt';
  if (kind === 'dape' || kind === 'null-prompt') return kind;
  throw new WeightError(
    `${lora!.label}: expected the prompt kind dape or null-prompt, got ${quoted(kind)}.`,
  );
}
