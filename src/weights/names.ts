/** @file Where checkpoints' key names differ from today's, and the check of keys and shapes against a network. */
import { WeightError } from '../tensor/errors.ts';
import { fewOf, quoted } from './quoted.ts';
import type { WeightInfo, WeightSource } from './source.ts';

/** The VAE's attention as diffusers named it in 2022, and as it does now. */
const attentionNames: ReadonlyMap<string, string> = new Map([
  ['query', 'to_q'],
  ['key', 'to_k'],
  ['value', 'to_v'],
  ['proj_attn', 'to_out.0'],
]);

/** `….attentions.0.query.weight`: attention directly in a block, so of the VAE. */
const oldAttention = /^(.*\battentions\.\d+)\.(query|key|value|proj_attn)\.(weight|bias)$/;
const newAttention = /\battentions\.\d+\.(to_q|to_k|to_v|to_out\.0)\.weight$/;

/** CLIP's text encoder as transformers 5 writes it: without `text_model.` in front. */
const bareText =
  /^(embeddings\.(token|position)_embedding|encoder\.layers\.\d+|final_layer_norm)\./;

/** Buffers that some files hold and no network needs: CLIP's positions 0, 1, 2, ... */
const ignored = /(^|\.)embeddings\.position_ids$/;

/** Today's name of a key. */
export function currentName(key: string): string {
  return key
    .replace(bareText, 'text_model.$&')
    .replace(
      oldAttention,
      (_, block: string, name: string, kind: string) =>
        `${block}.${attentionNames.get(name)!}.${kind}`,
    );
}

/** Whether a key is known to be of no use. */
function isIgnored(key: string): boolean {
  return ignored.test(key);
}

/**
 * The same weights under today's names: the VAE's attention as `to_q`, `to_k`, `to_v`, `to_out.0`
 * with matrices `[C, C]` (also stored as 1 x 1 convolutions `[C, C, 1, 1]`); ignored keys are left
 * out.
 *
 * @throws WeightError when two keys have the same name today
 */
export function withCurrentNames(source: WeightSource): WeightSource {
  const stored = new Map<string, string>();
  const entries = new Map<string, WeightInfo>();
  for (const [key, { dtype, shape }] of source.entries) {
    if (isIgnored(key)) continue;
    const name = currentName(key);
    if (stored.has(name)) {
      throw new WeightError(
        `${source.label}: ${quoted(stored.get(name)!)} and ${quoted(key)} are one weight.`,
      );
    }
    stored.set(name, key);
    entries.set(name, { dtype, shape: asMatrix(name, shape) });
  }
  return {
    label: source.label,
    entries,
    close: () => source.close(),
    async read(name) {
      const x = await source.read(stored.get(name) ?? name);
      return { ...x, shape: asMatrix(name, x.shape) };
    },
  };
}

function asMatrix(name: string, shape: readonly number[]): readonly number[] {
  const is1x1 = shape.length === 4 && shape[2] === 1 && shape[3] === 1;
  return is1x1 && newAttention.test(name) ? shape.slice(0, 2) : shape;
}

/** What a source has beyond what was wanted. */
export interface Binding {
  /** Keys that no network asked for and that are not known to be of no use. */
  readonly unused: readonly string[];
}

/**
 * Holds the keys and shapes of a source against those a network wants.
 *
 * @param wanted shape of each parameter of the network, by its key
 * @returns the keys left over, to be reported
 * @throws WeightError that names what is missing, misshapen or of a type that is no float
 */
export function bindWeights(
  source: Pick<WeightSource, 'label' | 'entries'>,
  wanted: ReadonlyMap<string, readonly number[]>,
): Binding {
  const missing = [...wanted.keys()].filter((key) => !source.entries.has(key)).map(quoted);
  if (missing.length > 0) {
    throw new WeightError(
      `${source.label}: lacks ${fewOf(missing)} (${missing.length} of ${wanted.size} weights). Check that the file and its config.json belong together.`,
    );
  }
  const unfit: string[] = [];
  for (const [key, shape] of wanted) {
    const got = source.entries.get(key)!;
    if (!got.dtype.includes('float')) {
      unfit.push(`${quoted(key)}: expected a float type, got ${got.dtype}`);
    } else if (got.shape.join() !== shape.join()) {
      unfit.push(`${quoted(key)}: expected [${shape.join(', ')}], got [${got.shape.join(', ')}]`);
    }
  }
  if (unfit.length > 0) {
    throw new WeightError(
      `${source.label}: ${fewOf(unfit)}. Check that the file and its config.json belong together.`,
    );
  }
  return {
    unused: [...source.entries.keys()].filter((key) => !wanted.has(key) && !isIgnored(key)),
  };
}
