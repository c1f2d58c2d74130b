/** @file Opens a model's folder: its configs, and its weights with every LoRA merged in. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadWeight } from '../graph/bind.ts';
import { type ModelConfig, modelConfig } from '../networks/model-config.ts';
import {
  type Required,
  requiredByText,
  requiredByUnet,
  requiredByVae,
} from '../networks/required.ts';
import { UsageError } from '../tensor/errors.ts';
import { toFloat32 } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { applyLora, checkLora, type Lora } from '../weights/lora.ts';
import { readLora } from '../weights/lora-file.ts';
import type { Manifest, PromptKind } from '../weights/manifest.ts';
import { loraName, openPart, type PartName, readConfigs } from '../weights/model-folder.ts';
import { bindWeights as checkKeys } from '../weights/names.ts';
import type { WeightSource } from '../weights/source.ts';
import { resolveModel } from '../weights/store.ts';
import type { LoraChoice } from './types.ts';

/** A model whose weights can be read; nothing is in memory yet. */
export interface Model {
  readonly name: string;
  readonly folder: string;
  readonly config: ModelConfig;
  /** Tensors by `<part>.<key>`, float32, LoRA merged. */
  readonly read: ReadWeight;
  /** Tells apart models whose merged weights differ: a hash of files and LoRA. */
  readonly identity: string;
  /** Prompts that it was trained with. */
  readonly trainedWith: PromptKind;
  close(): Promise<void>;
}

/** A LoRA and how strongly it is merged. */
interface Strong {
  readonly lora: Lora;
  readonly strength: number;
}

/**
 * Opens a model by its name or folder.
 *
 * A LoRA that is complete against the bare base takes the place of the model's own; one whose
 * metadata says `adds-to` is merged on top of it.
 *
 * @throws PathError, FormatError, ConfigError or WeightError when something is missing or does not fit
 */
export async function openModel(
  nameOrPath: string,
  loras: readonly LoraChoice[] = [],
): Promise<Model> {
  const { name, folder, manifest } = await resolveModel(nameOrPath);
  if (manifest?.kind !== undefined) {
    throw new UsageError(
      `${name}: expected an upscaler, got a ${manifest.kind}. See "osediff model list".`,
    );
  }
  const json = await readConfigs(folder);
  const config = modelConfig({
    unet: json.parts.get('unet')!,
    vae: json.parts.get('vae')!,
    textEncoder: json.parts.get('text_encoder'),
    scheduler: json.scheduler,
    own: json.own,
  });
  const required = requiredShapes(config);
  const sources = new Map<string, WeightSource>();
  const close = async (): Promise<void> => {
    await Promise.all([...sources.values()].map((source) => source.close()));
  };
  try {
    for (const [part, shapes] of required) {
      const source = await openPart(folder, part);
      sources.set(part, source);
      checkKeys(source, shapes);
    }
    const merged = await chooseLoras(folder, loras);
    const shapes = prefixed(required);
    for (const { lora } of merged) checkLora(lora, shapes);
    const read = lastFew(async (key) => {
      const [part, rest] = splitKey(key);
      let weight = toFloat32(await sources.get(part)!.read(rest));
      for (const { lora, strength } of merged) weight = applyLora(key, weight, lora, strength);
      return weight;
    });
    const identity = await identify(folder, [...required.keys()], loras);
    const trainedWith = promptKind(merged, manifest);
    return { name, folder, config, read, identity, trainedWith, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the last LoRA says of its training, else the manifest. */
function promptKind(merged: readonly Strong[], manifest: Manifest | undefined): PromptKind {
  const said = merged.map(({ lora }) => lora.metadata['osediff.prompt']).findLast(Boolean);
  if (said !== undefined) return said === 'dape' ? 'dape' : 'null-prompt';
  return manifest?.prompt ?? 'null-prompt';
}

/** Keys and shapes of every part that a model with this config has. */
export function requiredShapes(config: ModelConfig): ReadonlyMap<PartName, Required> {
  const required = new Map<PartName, Required>([
    ['vae', requiredByVae(config.generator.vae)],
    ['unet', requiredByUnet(config.generator.unet)],
  ]);
  if (config.text) required.set('text_encoder', requiredByText(config.text));
  return required;
}

function prefixed(required: ReadonlyMap<PartName, Required>): Required {
  const all = new Map<string, readonly number[]>();
  for (const [part, shapes] of required) {
    for (const [key, shape] of shapes) all.set(`${part}.${key}`, shape);
  }
  return all;
}

function splitKey(key: string): [part: string, rest: string] {
  const dot = key.indexOf('.');
  return [key.slice(0, dot), key.slice(dot + 1)];
}

async function chooseLoras(folder: string, choices: readonly LoraChoice[]): Promise<Strong[]> {
  const chosen: Strong[] = [];
  for (const choice of choices) {
    const { path, strength = 1 } = typeof choice === 'string' ? { path: choice } : choice;
    if (!Number.isFinite(strength)) {
      throw new UsageError(`${path}: expected a strength that is a number, got ${strength}.`);
    }
    chosen.push({ lora: await readLora(path), strength });
  }
  const complete = chosen.some(({ lora }) => lora.metadata['adds-to'] === undefined);
  const own = join(folder, loraName);
  if (complete || !(await exists(own))) return chosen;
  return [{ lora: await readLora(own), strength: 1 }, ...chosen];
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Remembers the last tensors: several weights are made of the timestep's MLP. */
function lastFew(read: ReadWeight, count = 8): ReadWeight {
  const recent = new Map<string, Promise<Tensor<'float32'>>>();
  return (key) => {
    const known = recent.get(key);
    if (known) return known;
    const reading = read(key);
    if (key.includes('time_embedding')) {
      recent.set(key, reading);
      if (recent.size > count) recent.delete(recent.keys().next().value!);
    }
    return reading;
  };
}

/** By path, size and time of every file the merged weights come from, as make does. */
async function identify(
  folder: string,
  parts: readonly string[],
  loras: readonly LoraChoice[],
): Promise<string> {
  const { readdir } = await import('node:fs/promises');
  const hash = createHash('sha256');
  const files = [join(folder, 'osediff.json'), join(folder, loraName)];
  for (const part of parts) {
    for (const file of (await readdir(join(folder, part))).sort())
      files.push(join(folder, part, file));
  }
  for (const choice of loras) {
    files.push(typeof choice === 'string' ? choice : choice.path);
    hash.update(JSON.stringify(choice));
  }
  for (const file of files) {
    const status = await stat(file).catch(() => undefined);
    hash.update(`${file}\0${status?.size ?? '-'}\0${status?.mtimeMs ?? '-'}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}
