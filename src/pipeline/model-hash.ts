/** @file The content of a model as one hash, so that results tell what made them wherever they go. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { recordFile } from '../weights/manifest.ts';
import { type FoundModel, resolveModel } from '../weights/store.ts';
import type { UpscalerOptions } from './types.ts';

/** Hashes in hexadecimal of what a model is made of. */
export interface ModelHash {
  /** SHA-256 over the model's files. */
  readonly model: string;
  /** SHA-256 of each LoRA file, in the order of the options. */
  readonly loras: readonly string[];
}

/** Files that decide what a model computes: configs, weights and tokenizer, no licence or card. */
const decisive = /\.(json|safetensors|bin|pt|pth|pkl|txt)$/i;

/**
 * Hashes a model and its LoRA files; a stored model's manifest has the hashes already.
 *
 * @throws PathError when the model or a LoRA is missing; FormatError when a manifest is damaged
 */
export async function hashModel(options: UpscalerOptions = {}): Promise<ModelHash> {
  const { model = 'compact', loras = [] } = options;
  const files = await hashFiles(await resolveModel(model));
  const all = createHash('sha256');
  for (const [file, sha256] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (decisive.test(file)) all.update(`${file}\0${sha256}\n`);
  }
  const hashes: string[] = [];
  for (const lora of loras) {
    const { sha256 } = await recordFile(typeof lora === 'string' ? lora : lora.path);
    hashes.push(sha256);
  }
  return { model: all.digest('hex'), loras: hashes };
}

/** The hash of every file, by its path below the model's folder. */
async function hashFiles({ folder, manifest }: FoundModel): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const [file, { sha256 }] of Object.entries(manifest?.files ?? {})) hashes.set(file, sha256);
  if (manifest) return hashes;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !decisive.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const below = path.slice(folder.length + 1).replaceAll('\\', '/');
    hashes.set(below, (await recordFile(path)).sha256);
  }
  return hashes;
}
