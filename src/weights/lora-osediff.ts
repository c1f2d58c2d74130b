/** @file The checkpoint osediff.pkl as OSEDiff_gen.save_model writes it (github: cswry/OSEDiff, fcc4f09). */
import { WeightError } from '../tensor/errors.ts';
import type { Lora } from './lora.ts';
import { assembleLora, checkListed, type LoraTensor } from './lora-assemble.ts';
import type { LoraPart } from './lora-keys.ts';
import { isDict, isList, kindOf, type PickledDict, type PickleValue } from './pickle-values.ts';
import { fewOf, quoted } from './quoted.ts';
import { tensorsOf, type TorchFile } from './torch-zip.ts';

/** PEFT's default, which the official code leaves as it is and does not save. */
const defaultAlpha = 8;
const parts: readonly LoraPart[] = ['unet', 'vae'];
const moduleLists: Readonly<Record<LoraPart, readonly string[]>> = {
  unet: ['encoder', 'decoder', 'others'].map((name) => `unet_lora_${name}_modules`),
  vae: ['vae_lora_encoder_modules'],
};

/** Whether what torch saved is an osediff.pkl. */
export function isOsediff(value: PickleValue): value is PickledDict {
  return isDict(value) && (value.has('state_dict_unet') || value.has('state_dict_vae'));
}

/**
 * Reads an osediff.pkl: its three UNet adapters become one, and `conv_in`'s own weight and bias,
 * which were trained too, are among the replaced weights.
 *
 * @param value the dict, by `isOsediff`
 * @param scale overrules alpha / rank
 * @throws WeightError naming what is missing or does not belong together
 */
export async function readOsediff(
  file: TorchFile,
  value: PickledDict,
  scale?: number,
): Promise<Lora> {
  const { label } = file;
  const known = parts.flatMap((part) => [
    `state_dict_${part}`,
    `rank_${part}`,
    `alpha_${part}`,
    ...moduleLists[part],
  ]);
  const unknown = [...value.keys()].filter((key) => !known.includes(key as string));
  if (unknown.length > 0) {
    const names = unknown.map((key) => quoted(typeof key === 'string' ? key : kindOf(key)));
    throw new WeightError(
      `${label}: does not know the key ${fewOf(names)} of an OSEDiff checkpoint.`,
    );
  }
  const tensors: LoraTensor[] = [];
  for (const part of parts) {
    const saved = tensorsOf(value.get(`state_dict_${part}`), `${label}: state_dict_${part}`);
    for (const [key, place] of saved)
      tensors.push({ key, part, tensor: await file.read(place, key) });
  }
  const alpha = (part: string): number =>
    value.has(`alpha_${part}`) ? numberAt(value, `alpha_${part}`, label) : defaultAlpha;
  const lora = assembleLora(label, tensors, (path, rank) => {
    const part = path.slice(0, path.indexOf('.'));
    const saved = numberAt(value, `rank_${part}`, label);
    if (rank !== saved) {
      throw new WeightError(
        `${label}: expected rank ${saved} (rank_${part}) for ${quoted(path)}, got weights of rank ${rank}.`,
      );
    }
    return scale ?? alpha(part) / rank;
  });
  for (const part of parts) {
    const paths = [...lora.layers.keys()].filter((path) => path.startsWith(`${part}.`));
    for (const list of moduleLists[part]) checkListed(namesAt(value, list, label), paths, label);
  }
  return { ...lora, metadata: { 'osediff.prompt': 'dape' } };
}

function numberAt(value: PickledDict, key: string, label: string): number {
  const got = value.get(key);
  if (typeof got === 'number' && got > 0) return got;
  throw new WeightError(`${label}: expected a positive number as ${key}, got ${kindOf(got)}.`);
}

/** A list of modules; names may stand in it more than once. */
function namesAt(value: PickledDict, key: string, label: string): readonly string[] {
  const got = value.get(key);
  if (isList(got) && got.every((name) => typeof name === 'string')) return got;
  throw new WeightError(`${label}: expected a list of names as ${key}, got ${kindOf(got)}.`);
}
