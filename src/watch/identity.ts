/** @file When two jobs are one: the same content, upscaled by the same model in the same way. */
import { createHash } from 'node:crypto';
import type { IdentifiedRule } from './context.ts';
import type { Checked } from './kind.ts';
import type { Manner } from './messages.ts';
import type { Rule } from './rule.ts';

/** What of a rule concerns how a file is upscaled. */
export function mannerOf({ model, upscale, write, captions }: Rule): Manner {
  return {
    model,
    upscale,
    ...(write !== undefined && { write }),
    ...(captions !== undefined && { captions }),
  };
}

/**
 * The key of a job.
 *
 * The device is left out: it changes rounding, not the picture.
 */
export function jobKey(
  { sha256, caption }: Checked,
  { rule, modelHash, loraHashes }: IdentifiedRule,
): string {
  const { model: _, loras = [], device: _device, kernels: _kernels, ...rest } = rule.model;
  const strengths = loras.map((lora) => (typeof lora === 'string' ? 1 : (lora.strength ?? 1)));
  return digest({ sha256, caption, modelHash, loraHashes, strengths, ...rest }, rule);
}

/**
 * What a user would call the same settings: a file that rests where it was upscaled is upscaled
 * again when these change, but not because an update brought better weights of the same name.
 *
 * @param out the real path of the results
 */
export function settingsKey(out: string, { rule }: IdentifiedRule): string {
  const { device: _, kernels: _kernels, ...model } = rule.model;
  return digest({ out, ...model }, rule);
}

function digest(
  what: object,
  { upscale, ending = '', write = {}, captions = false }: Rule,
): string {
  const value = { ...what, ending, captions, upscale: sorted(upscale), write: sorted(write) };
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function sorted(object: object): object {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
