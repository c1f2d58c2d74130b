/** @file A model's folder in the layout of diffusers: its parts, configs and tokenizer. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, PathError } from '../tensor/errors.ts';
import { readJsonFile } from './json-file.ts';
import { withCurrentNames } from './names.ts';
import { errorCode, pathError } from './path-errors.ts';
import { pathInside } from './safe-path.ts';
import { findWeights, openFolder, type WeightSource } from './source.ts';

/** Networks of a model; the text encoder is absent where prompts have no part in it. */
export type PartName = 'unet' | 'vae' | 'text_encoder';

/** File names of each part's weights, without extension. */
const stems: Readonly<Record<PartName, readonly string[]>> = {
  unet: ['diffusion_pytorch_model'],
  vae: ['diffusion_pytorch_model'],
  text_encoder: ['model', 'pytorch_model'],
};

/** The parts in the order in which they are read. */
const partNames: readonly PartName[] = ['unet', 'vae', 'text_encoder'];

/** What a tokenizer may consist of. */
const tokenizerFiles = [
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'tokenizer_config.json',
  'added_tokens.json',
  'tokenizer.json',
].map((name) => `tokenizer/${name}`);

/** The LoRA's file in a model's folder. */
export const loraName = 'lora.safetensors';

/** The file of a part's weights, below the folder, as we store it. */
export function weightsName(part: PartName): string {
  return `${part}/${stems[part][0]}.safetensors`;
}

/** Configs of a model with these parts, below its folder; the last two are not always there. */
export function configFiles(parts: readonly PartName[]): readonly string[] {
  const ofParts = parts.map((part) => `${part}/config.json`);
  return [...ofParts, 'scheduler/scheduler_config.json', 'model_index.json', 'osediff.json'];
}

/** A parsed JSON file that holds an object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The configs of a model, read and parsed but for what is of no concern here. */
export interface ModelConfigs {
  /** `config.json` of each part there is. */
  readonly parts: ReadonlyMap<PartName, JsonObject>;
  readonly scheduler: JsonObject;
  /** Our own `osediff.json`, where the model has one. */
  readonly own: JsonObject | undefined;
}

/**
 * Reads a model's configs.
 *
 * @throws PathError when the folder is none in diffusers' layout, or a file is a link out of it
 * @throws FormatError when one is no JSON
 * @throws ConfigError for a base that predicts v, which is SD 2.1 and not SD 2.1-base
 */
export async function readConfigs(folder: string): Promise<ModelConfigs> {
  await checkFolder(folder);
  const parts = new Map<PartName, JsonObject>();
  for (const part of partNames) {
    const name = `${part}/config.json`;
    const json = await readIfAny(folder, name);
    if (json) parts.set(part, json);
    else if (part !== 'text_encoder') throw lacks(folder, name);
  }
  const scheduler = await readIfAny(folder, 'scheduler/scheduler_config.json');
  if (!scheduler) throw lacks(folder, 'scheduler/scheduler_config.json');
  checkPrediction(scheduler, folder);
  return { parts, scheduler, own: await readIfAny(folder, 'osediff.json') };
}

/**
 * Refuses a base model that does not predict the noise.
 *
 * @param scheduler `scheduler_config.json`; absent, `prediction_type` is `epsilon` as in diffusers
 * @throws ConfigError
 */
function checkPrediction(scheduler: JsonObject, folder: string): void {
  const type = scheduler['prediction_type'] ?? 'epsilon';
  if (type === 'epsilon') return;
  const what =
    type === 'v_prediction'
      ? 'This is SD 2.1 (768 pixels), whose shapes are those of SD 2.1-base but whose output means another thing. Use SD 2.1-base (512 pixels).'
      : 'Use SD 2.1-base.';
  throw new ConfigError(
    `${folder}: expected a base that predicts the noise (prediction_type "epsilon"), got ${JSON.stringify(type)}. ${what}`,
  );
}

/** Which file of a part to take. */
export interface PartOptions {
  /** As in `diffusion_pytorch_model.fp16.safetensors`; a part without such a file gives its plain one. */
  readonly variant?: string | undefined;
}

/**
 * Opens the weights of a part, under today's names.
 *
 * @throws PathError when there are none or they are, or link, outside the model's folder
 */
export async function openPart(
  folder: string,
  part: PartName,
  { variant }: PartOptions = {},
): Promise<WeightSource> {
  const found = variant !== undefined && (await hasVariant(folder, part, variant));
  const dir = join(folder, part);
  const options = { root: folder, ...(found ? { variant } : {}) };
  const source = withCurrentNames(await openFolder(dir, stems[part], options));
  return { ...source, label: `${part}/${source.label}` };
}

/** Whether a part has a file of the variant. */
export async function hasVariant(
  folder: string,
  part: PartName,
  variant: string,
): Promise<boolean> {
  return (await findWeights(join(folder, part), stems[part], variant)) !== undefined;
}

/**
 * Small files that belong to a model beside configs: the tokenizer, and licences at the top.
 *
 * @returns paths below the folder
 * @throws PathError when a model with a text encoder has no tokenizer
 */
export async function companionFiles(folder: string, hasText: boolean): Promise<readonly string[]> {
  const licences = (await namesIn(folder)).filter((name) =>
    /^(licen[cs]e|notice)([._-][\w.-]*)?$/i.test(name),
  );
  if (!hasText) return licences;
  const there = new Set(
    (await namesIn(join(folder, 'tokenizer'))).map((name) => `tokenizer/${name}`),
  );
  const tokenizer = tokenizerFiles.filter((name) => there.has(name));
  const complete = ['vocab.json', 'merges.txt'].every((name) => there.has(`tokenizer/${name}`));
  if (!complete && !there.has('tokenizer/tokenizer.json')) {
    throw lacks(folder, 'tokenizer/vocab.json and tokenizer/merges.txt');
  }
  return [...licences, ...tokenizer];
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw pathError(folder, error);
  });
  return [...names].sort();
}

async function checkFolder(folder: string): Promise<void> {
  const status = await stat(folder).catch((error: unknown) => {
    throw pathError(folder, error);
  });
  if (!status.isDirectory()) {
    throw new PathError(
      `${folder}: expected a folder in diffusers' layout (unet/, vae/, scheduler/, ...), got a file. Convert a single-file checkpoint with diffusers first.`,
    );
  }
}

async function readIfAny(folder: string, name: string): Promise<JsonObject | undefined> {
  const there = await stat(join(folder, name)).catch(() => undefined);
  return there ? readJsonFile(await pathInside(folder, name)) : undefined;
}

function lacks(folder: string, name: string): PathError {
  return new PathError(
    `${folder}: expected a model in diffusers' layout (unet/, vae/, scheduler/, ...), but ${name} is missing. Download the whole model.`,
  );
}
