/** @file Reads LoRA in each form it is found in, and writes it in the one form that models store. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError, PathError, UsageError } from '../tensor/errors.ts';
import { readJsonFileIfAny } from './json-file.ts';
import type { Lora } from './lora.ts';
import { assembleLora, type LayerScale, type LoraTensor } from './lora-assemble.ts';
import { scaleRule } from './lora-config.ts';
import { isOsediff, readOsediff } from './lora-osediff.ts';
import { pathError } from './path-errors.ts';
import { openSafetensors } from './safetensors.ts';
import { planned, writeSafetensors } from './safetensors-writer.ts';
import { openWeights, type WeightSource } from './source.ts';
import { isObject, parseJson } from './strict-json.ts';
import { openTorch } from './torch-zip.ts';

/** Key under `__metadata__` of a LoRA in our own form. */
const ownKey = 'osediff.lora';
/** Key under which diffusers keeps PEFT's config, since 0.35. */
const diffusersKey = 'lora_adapter_metadata';

/** What the caller knows and the file may not. */
export interface LoraOptions {
  /** alpha / rank, for every layer; overrules what the file says. */
  readonly scale?: number | undefined;
}

/**
 * Reads a LoRA from
 * - an `osediff.pkl`,
 * - a folder of PEFT (`adapter_model.*`, `adapter_config.json`; `conv_in.safetensors` holds the
 *   weights of `conv_in` that were trained whole) or the model file in it,
 * - diffusers' `pytorch_lora_weights.safetensors` or its folder,
 * - our own `lora.safetensors`.
 *
 * @throws PathError when there is no such file
 * @throws FormatError when a file is damaged or of another kind
 * @throws WeightError when keys or shapes are not of a LoRA, or nothing gives its scale
 */
export async function readLora(path: string, options: LoraOptions = {}): Promise<Lora> {
  const { scale } = options;
  if (scale !== undefined && !(scale > 0 && Number.isFinite(scale))) {
    throw new UsageError(`LoRA scale: expected a positive number, got ${scale}.`);
  }
  const status = await stat(path).catch((error: unknown) => {
    throw pathError(path, error);
  });
  const file = status.isDirectory() ? await fileIn(path) : path;
  if (file.endsWith('.safetensors')) return readSafetensors(file, scale);
  const torch = await openTorch(file);
  try {
    if (isOsediff(torch.value)) return await readOsediff(torch, torch.value, scale);
  } finally {
    await torch.close();
  }
  return readAdapter(await openWeights(file), new Map(), file, scale);
}

const names = ['adapter_model', 'pytorch_lora_weights', 'lora'];

async function fileIn(folder: string): Promise<string> {
  const files = new Set(await readdir(folder));
  const wanted = names.flatMap((name) => [`${name}.safetensors`, `${name}.bin`]);
  const name = [...wanted, 'osediff.pkl'].find((candidate) => files.has(candidate));
  if (name !== undefined) return join(folder, name);
  throw new PathError(
    `${folder}: expected a LoRA (${names.join(', ')} as .safetensors or .bin, or osediff.pkl), got none. Name the file itself.`,
  );
}

async function readSafetensors(file: string, scale: number | undefined): Promise<Lora> {
  const source = await openSafetensors(file);
  return readAdapter(source, source.metadata, file, scale);
}

/** Reads every tensor of `source`, which it closes. */
async function readAdapter(
  source: WeightSource,
  metadata: ReadonlyMap<string, string>,
  file: string,
  scale: number | undefined,
): Promise<Lora> {
  const { label } = source;
  const tensors: LoraTensor[] = [];
  try {
    for (const key of source.entries.keys()) tensors.push({ key, tensor: await source.read(key) });
  } finally {
    await source.close();
  }
  const folder = dirname(file);
  const isPeft = basename(file).startsWith('adapter_model.');
  const config = isPeft ? await readJsonFileIfAny(join(folder, 'adapter_config.json')) : undefined;
  if (isPeft) tensors.push(...(await readReplaced(join(folder, 'conv_in.safetensors'))));
  const said = config
    ? byConfig(config, `${label}: adapter_config.json`)
    : byMetadata(metadata, label);
  const lora = assembleLora(label, tensors, scale === undefined ? said : () => scale);
  const rest = [...metadata].filter(([key]) => ![ownKey, diffusersKey, 'format'].includes(key));
  return { ...lora, metadata: Object.fromEntries(rest) };
}

/** The tensors of a file that may or may not be there. */
async function readReplaced(file: string): Promise<LoraTensor[]> {
  const there = await stat(file).catch(() => undefined);
  if (!there) return [];
  const source = await openSafetensors(file);
  try {
    const keys = [...source.entries.keys()];
    return await Promise.all(keys.map(async (key) => ({ key, tensor: await source.read(key) })));
  } finally {
    await source.close();
  }
}

function byConfig(config: Readonly<Record<string, unknown>>, where: string): LayerScale {
  const rule = scaleRule(config, where);
  return (path, rank) => rule(path.slice(path.indexOf('.') + 1), rank);
}

/** Scales by our own metadata, by those of diffusers, or by neither. */
function byMetadata(metadata: ReadonlyMap<string, string>, label: string): LayerScale {
  const own = metadata.get(ownKey);
  if (own !== undefined) {
    const scales = ownScales(own, `${label}: ${ownKey}`);
    return (path) => scales.get(path);
  }
  const text = metadata.get(diffusersKey);
  if (text === undefined) return () => undefined;
  const where = `${label}: ${diffusersKey}`;
  const fields = parseJson(text, where);
  if (!isObject(fields)) throw new FormatError(`${where}: expected a JSON object.`);
  const rules = new Map<string, LayerScale>();
  return (path, rank) => {
    const part = path.slice(0, path.indexOf('.') + 1); // with its dot, as the fields have it
    if (!Object.keys(fields).some((key) => key.startsWith(part))) return undefined;
    const rule = rules.get(part) ?? byConfig(below(fields, part), where);
    rules.set(part, rule);
    return rule(path, rank);
  };
}

/** The members whose keys begin with `prefix`, without it. */
function below(fields: Record<string, unknown>, prefix: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );
}

function ownScales(text: string, where: string): ReadonlyMap<string, number> {
  const json = parseJson(text, where);
  const scales = isObject(json) && json['version'] === 1 ? json['scales'] : undefined;
  if (!isObject(scales)) throw new FormatError(`${where}: expected version 1 with scales.`);
  return new Map(
    Object.entries(scales).map(([path, scale]) => {
      if (typeof scale === 'number' && Number.isFinite(scale)) return [path, scale];
      throw new FormatError(`${where}: expected a number as the scale of "${path}".`);
    }),
  );
}

/**
 * Writes a LoRA in the form that models store: float32, keys `<part>.<path>.lora_A.weight` and
 * `lora_B`, replaced weights under their own keys, scales and metadata under `__metadata__`.
 *
 * @throws PathError when the file cannot be written
 */
export async function writeLora(path: string, lora: Lora): Promise<void> {
  const tensors = new Map([...lora.replaced].map(([key, weight]) => [key, planned(weight)]));
  for (const [module, { down, up }] of lora.layers) {
    tensors.set(`${module}.lora_A.weight`, planned(down));
    tensors.set(`${module}.lora_B.weight`, planned(up));
  }
  const scales = Object.fromEntries([...lora.layers].map(([module, { scale }]) => [module, scale]));
  const own = { version: 1, scales };
  await writeSafetensors(path, tensors, { ...lora.metadata, [ownKey]: JSON.stringify(own) });
}
