/** @file When two jobs are one: the same content, upscaled by the same model in the same way. */
import { createHash } from 'node:crypto';
import type { IdentifiedRule } from './context.ts';

/**
 * The key of a job.
 *
 * The device is left out: it changes rounding, not the picture.
 *
 * @param sha256 of the content
 */
export function jobKey(sha256: string, { rule, modelHash, loraHashes }: IdentifiedRule): string {
  const { upscale, ending, model } = rule;
  const strengths = (model.loras ?? []).map((lora) =>
    typeof lora === 'string' ? 1 : (lora.strength ?? 1),
  );
  return digest({
    sha256,
    modelHash,
    loraHashes,
    strengths,
    precision: model.precision ?? 'fp32',
    ending: ending ?? '',
    upscale: sorted(upscale),
  });
}

/**
 * What a user would call the same settings: a file that rests where it was upscaled is upscaled
 * again when these change, but not because an update brought better weights of the same name.
 *
 * @param out the real path of the results
 */
export function settingsKey(out: string, { rule }: IdentifiedRule): string {
  const { upscale, ending, model } = rule;
  const { model: name, precision, loras } = model;
  return digest({ out, ending: ending ?? '', name, precision, loras, upscale: sorted(upscale) });
}

function sorted(object: object): object {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digest(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
