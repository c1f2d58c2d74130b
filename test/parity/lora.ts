/** @file Parity of LoRA files: each holds the layers of the checkpoint, and merges to the same weights. */
import { dirname, join } from 'node:path';
import { WeightError } from '../../src/tensor/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { type Lora, type LoraLayer, mergeLora } from '../../src/weights/lora.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { arraysOf, baseModel, type Folder, has, jsonOf, modelOf, type Section } from './folder.ts';
import { compare, row, type Row } from './row.ts';

const checkpoint = 'lora/osediff.pkl';
const adapters = ['lora/peft-unet', 'lora/peft-vae'] as const;

/** The LoRA that the folder's other vectors were made with: the checkpoint, else PEFT's folders. */
export function loraFiles(folder: Folder): readonly string[] {
  return has(folder, checkpoint) ? [checkpoint] : adapters.filter((name) => has(folder, name));
}

export const lora: Section = {
  files: /^lora\/.*\.(pkl|pth|pt|bin|safetensors)$/,
  inputs: /./,
  async *rows(folder, file) {
    // Weights beside an adapter are read with it.
    if (file.endsWith('/conv_in.safetensors')) return;
    if (file === checkpoint) yield* againstRaw(folder, file);
    else if (has(folder, checkpoint)) yield* againstCheckpoint(folder, file);
  },
};

/** The checkpoint's layers against PEFT's tensors as they stand in their files. */
async function* againstRaw(folder: Folder, file: string): AsyncGenerator<Row> {
  const { layers, replaced } = await readLora(join(folder.root, file));
  for (const adapter of adapters) {
    const weights = `${adapter}/adapter_model.safetensors`;
    if (!has(folder, weights)) continue;
    const part = adapter.endsWith('unet') ? 'unet' : 'vae';
    const { r, lora_alpha } = jsonOf(folder, `${adapter}/adapter_config.json`) as {
      r: number;
      lora_alpha: number;
    };
    for (const [key, want] of arraysOf(folder, weights)) {
      const [, path, factor] = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(key) ?? [];
      if (path === undefined) continue;
      const layer = layers.get(`${part}.${path}`);
      const got = factor === 'A' ? layer?.down : layer?.up;
      yield compare(file, `${part}.${path}.lora_${factor}`, want, [got], 0);
      const scale = layer ? Math.abs(layer.scale - lora_alpha / r) : Infinity;
      if (factor === 'A') yield row(file, `${part}.${path}.scale`, scale, 0);
    }
    if (!has(folder, `${adapter}/conv_in.safetensors`)) continue;
    for (const [key, want] of arraysOf(folder, `${adapter}/conv_in.safetensors`)) {
      const got = [...replaced].find(([name]) => name === key || name === `${part}.${key}`);
      yield compare(file, `${part}.${key}`, want, [got?.[1]], 0);
    }
  }
}

/** A file's layers against the checkpoint's, alone and in the weights they are merged into. */
async function* againstCheckpoint(folder: Folder, file: string): AsyncGenerator<Row> {
  const want = await readLora(join(folder.root, checkpoint));
  const got = await readFile(folder, file, want);
  const base = await modelOf(folder, baseModel);
  const parts = new Set([...got.layers.keys()].map(partOf));
  for (const [path, layer] of want.layers) {
    if (!parts.has(partOf(path))) continue;
    const other = got.layers.get(path);
    yield compare(file, `${path}.lora_A`, layer.down, [other?.down], 0);
    yield compare(file, `${path}.lora_B`, layer.up, [other?.up], 0);
    const weight = await base.read(`${path}.weight`);
    const merge = (l: LoraLayer): Tensor => mergeLora(weight, l);
    yield compare(file, `${path}.merged`, merge(layer), [other && merge(other)], 0);
  }
  for (const path of got.layers.keys()) {
    if (!want.layers.has(path)) yield row(file, `${path}.lora_A`, Infinity, 0);
  }
  for (const [key, weight] of got.replaced) {
    const replaced = want.replaced.get(key);
    yield replaced ? compare(file, key, replaced, [weight], 0) : row(file, key, Infinity, 0);
  }
}

function partOf(path: string): string {
  return path.slice(0, path.indexOf('.'));
}

/** Reads a file of any form; where it holds no scale it is given the checkpoint's. */
async function readFile({ root }: Folder, file: string, known: Lora): Promise<Lora> {
  const inFolder = /\/adapter_model\.\w+$/.test(file);
  const path = join(root, inFolder ? dirname(file) : file);
  try {
    return await readLora(path);
  } catch (error) {
    if (!(error instanceof WeightError)) throw error;
    const [first] = (await readLora(path, { scale: 1 })).layers.keys();
    const layer = [...known.layers].find(([name]) => partOf(name) === partOf(first ?? ''));
    if (!layer) throw error;
    return readLora(path, { scale: layer[1].scale });
  }
}
