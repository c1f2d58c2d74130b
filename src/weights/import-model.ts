/** @file Imports a model in diffusers' layout into the store, checking everything before writing anything. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PathError } from '../tensor/errors.ts';
import { checkLora, joinLoras, type Lora } from './lora.ts';
import { readLora } from './lora-file.ts';
import type { Manifest, Precision } from './manifest.ts';
import {
  companionFiles,
  hasVariant,
  loraName,
  type ModelConfigs,
  openPart,
  type PartName,
  readConfigs,
} from './model-folder.ts';
import { bindWeights } from './names.ts';
import { quoted } from './quoted.ts';
import { pathInside } from './safe-path.ts';
import { type CheckedPart, freePlace, writeModel } from './write-model.ts';

/** Shapes of weights by their keys. */
type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Shape of every weight of each part of a model with these configs. Throws ConfigError for a config
 * that no network is built for.
 */
export type Expected = (configs: ModelConfigs) => ReadonlyMap<PartName, Shapes>;

/** What to import and how. */
export interface ImportOptions {
  readonly name: string;
  /** Files or folders of LoRA, on different modules; without any, the folder's own `lora.safetensors`. */
  readonly loras?: readonly string[];
  /** alpha / rank, for LoRA files that do not say. */
  readonly loraScale?: number | undefined;
  /** By default fp16 when every weight is stored so, else fp32. */
  readonly precision?: Precision | undefined;
  /** As in `diffusion_pytorch_model.fp16.safetensors`, for the parts that have it. */
  readonly variant?: string | undefined;
  readonly expected: Expected;
  /** Called as weights are converted, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What came of an import. */
export interface Imported {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Keys of the checkpoint that no network asked for, by `<part>.<key>`. */
  readonly unused: readonly string[];
}

/**
 * Imports a model. It is written into a hidden folder of the store, which takes the model's name
 * when it is complete.
 *
 * @param folder in diffusers' layout; nothing outside of it is read, links out of it are refused
 * @throws UsageError for a bad name
 * @throws PathError when files are missing or the name is taken
 * @throws ConfigError, WeightError or FormatError when the model or the LoRA does not fit
 * @throws the signal's reason when it is aborted
 */
export async function importModel(folder: string, options: ImportOptions): Promise<Imported> {
  const { name, variant } = options;
  const target = await freePlace(name);
  const configs = await readConfigs(folder);
  await checkVariant(folder, configs, variant);
  const expected = options.expected(configs);
  const parts: CheckedPart[] = [];
  try {
    for (const [part, config] of configs.parts) {
      const source = await openPart(folder, part, { variant });
      parts.push({ part, config, source, wanted: expected.get(part) ?? new Map() });
    }
    const unused = parts.flatMap(({ part, source, wanted }) =>
      bindWeights(source, wanted).unused.map((key) => `${part}.${key}`),
    );
    const lora = await readFittingLora(folder, expected, options);
    const companions = await companionFiles(folder, configs.parts.has('text_encoder'));
    const manifest = await writeModel(folder, target, { ...options, parts, lora, companions });
    return { folder: target, manifest, unused };
  } finally {
    await Promise.all(parts.map(({ source }) => source.close()));
  }
}

async function checkVariant(
  folder: string,
  configs: ModelConfigs,
  variant: string | undefined,
): Promise<void> {
  if (variant === undefined) return;
  for (const part of configs.parts.keys()) if (await hasVariant(folder, part, variant)) return;
  throw new PathError(`${folder}: expected weights of variant ${quoted(variant)}, got none.`);
}

async function readFittingLora(
  folder: string,
  expected: ReadonlyMap<PartName, Shapes>,
  { loras = [], loraScale }: ImportOptions,
): Promise<Lora | undefined> {
  const own = await stat(join(folder, loraName)).catch(() => undefined);
  const files = loras.length === 0 && own ? [await pathInside(folder, loraName)] : loras;
  if (files.length === 0) return undefined;
  const read = await Promise.all(files.map((file) => readLora(file, { scale: loraScale })));
  const lora = read.length === 1 ? read[0]! : joinLoras(read);
  const shapes = [...expected].flatMap(([part, ofPart]) =>
    [...ofPart].map(([key, shape]) => [`${part}.${key}`, shape] as const),
  );
  checkLora(lora, new Map(shapes));
  return lora;
}
