/** @file CLIP-IQA (Wang 2022, "Exploring CLIP for Assessing the Look and Feel of Images"): pictures against pairs of words. */
import {
  div,
  exp,
  matMul,
  mean,
  mul,
  reshape,
  slice,
  softmax,
  sqrt,
  square,
  sum,
  transpose,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { float32 } from '../tensor/tensor.ts';
import { sub } from '../graph/functions.ts';
import { clipTexts } from './clip-openai-text.ts';
import type { ClipConfig } from './clip-config.ts';
import { clipResnet } from './clip-resnet.ts';

/**
 * Antonyms that pictures are held against, the good one first, as CLIP's tokenizer spells them.
 *
 * @see pyiqa 0.1.10, whose five pairs the published scores are taken with; the paper has one
 */
export const antonyms: readonly { readonly text: string; readonly ids: readonly number[] }[] = [
  { text: 'Good image', ids: [49406, 886, 2867, 49407] },
  { text: 'bad image', ids: [49406, 2103, 2867, 49407] },
  { text: 'Sharp image', ids: [49406, 8157, 2867, 49407] },
  { text: 'blurry image', ids: [49406, 21977, 2867, 49407] },
  { text: 'sharp edges', ids: [49406, 8157, 20938, 49407] },
  { text: 'blurry edges', ids: [49406, 21977, 20938, 49407] },
  { text: 'High resolution image', ids: [49406, 1400, 9977, 2867, 49407] },
  { text: 'low resolution image', ids: [49406, 1042, 9977, 2867, 49407] },
  { text: 'Noise-free image', ids: [49406, 9307, 268, 1139, 2867, 49407] },
  { text: 'noisy image', ids: [49406, 33495, 2867, 49407] },
];

/** What a picture's words are. */
export interface ClipIqa {
  /** How near the picture is to each text: `[N, texts]`. */
  readonly logits: Value;
  /** How much rather the first of each pair: `[N, pairs]`. */
  readonly preferences: Value;
  /** Their mean, `[N]`. */
  readonly score: Value;
}

/**
 * The texts as unit vectors, times CLIP's own scale. They are the same for every picture.
 *
 * @param s scope of the whole checkpoint
 * @param ids tokens of each text: all as long
 * @returns `[texts, embed]`
 */
export function textDirections(
  s: Scope,
  ids: readonly (readonly number[])[],
  config: ClipConfig,
): Value {
  return mul(unitLength(clipTexts(s, ids, config)), exp(s.weight('logit_scale', [])));
}

/**
 * The score of pictures of any size: 0 to 1, higher is better.
 *
 * @param s scope of the whole checkpoint
 * @param x `[N, 3, H, W]`, RGB in [0, 1], at least 32 pixels a side
 * @param directions of {@link textDirections}, antonyms in turns
 */
export function clipIqa(s: Scope, x: Value, directions: Value, config: ClipConfig): ClipIqa {
  const constant = (values: readonly number[]): Value =>
    x.graph.constant(float32([1, 3, 1, 1], values));
  const normal = div(
    sub(x, constant([0.48145466, 0.4578275, 0.40821073])),
    constant([0.26862954, 0.26130258, 0.27577711]),
  );
  const seen = unitLength(clipResnet(s.at('visual'), normal, config));
  const logits = matMul(seen, transpose(directions, [1, 0]));
  const [n, texts] = logits.shape as [number, number];
  const pairs = softmax(reshape(logits, [n, texts / 2, 2]));
  const preferences = reshape(slice(pairs, 2, 0, 1), [n, texts / 2]);
  return { logits, preferences, score: mean(preferences, [1], false) };
}

function unitLength(x: Value): Value {
  return div(x, sqrt(sum(square(x), [-1])));
}
