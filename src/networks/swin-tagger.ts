/** @file The RAM tagger: a Swin that looks, and a head that asks it for every tag (Zhang 2023, "Recognize Anything"). */
import { add, concat, gelu, mean, relu, reshape, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { conv } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import type { TaggerConfig } from './swin-tagger-config.ts';
import { mergePatches, swinBlock, swinEpsilon, windowsOf } from './swin.ts';

/** The layer norms of the head, as BERT has them. */
const headEpsilon = 1e-12;

/** What the tagger computes of pictures. */
export interface Tagged {
  /** The picture as the head sees it, a mean token first: `[N, 1 + tokens, memory]`. */
  readonly imageEmbeds: Value;
  /** One a tag, before the sigmoid: `[N, tags]`. */
  readonly logits: Value;
}

/**
 * Scores every tag.
 *
 * @param s scope of the whole checkpoint
 * @param x pictures `[N, 3, S, S]`, by ImageNet's mean and deviation; S is the config's image size
 */
export function swinTagger(s: Scope, x: Value, config: TaggerConfig): Tagged {
  const features = visualEncoder(s.at('visual_encoder'), x, config);
  const imageEmbeds = linear(s.at('image_proj'), features, config.memory);
  return { imageEmbeds, logits: taggingHead(s, imageEmbeds, config) };
}

/** @returns the mean token, then the tokens of the last stage: `[N, 1 + tokens, C]` */
function visualEncoder(s: Scope, x: Value, config: TaggerConfig): Value {
  const { patch, embed, stages } = config;
  const n = x.shape[0] as number;
  const first = s.at('patch_embed');
  let h = conv(first.at('proj'), x, embed, { kernel: patch, stride: patch, padding: 0 });
  let side = h.shape[2] as number;
  h = transpose(reshape(h, [n, embed, side * side]), [0, 2, 1]);
  h = first.out(layerNorm(first.at('norm'), h, swinEpsilon));
  stages.forEach((stage, i) => {
    const windows = windowsOf(s.graph, side, stage.window, n);
    for (let j = 0; j < stage.blocks; j++) {
      h = swinBlock(s.at('layers', i, 'blocks', j), h, stage, windows, j % 2 === 1);
    }
    if (i === stages.length - 1) return;
    h = mergePatches(s.at('layers', i, 'downsample'), h, side);
    side /= 2;
  });
  const tokens = layerNorm(s.at('norm'), h, swinEpsilon);
  return s.out(concat([mean(tokens, [1]), tokens], 1));
}

/**
 * Each tag's vector looks at the picture, in layers of a BERT without self-attention.
 *
 * The vectors are the same for every picture: what is computed of nothing but them, onnxruntime
 * computes once, when the model is loaded.
 */
function taggingHead(s: Scope, imageEmbeds: Value, config: TaggerConfig): Value {
  const { tags, labelWidth, head } = config;
  const n = imageEmbeds.shape[0] as number;
  const labels = s.weight('label_embed', [tags, labelWidth]);
  const words = relu(linear(s.at('wordvec_proj'), labels, head.hidden));
  const one = reshape(words, [1, tags, head.hidden]);
  let h = concat(
    Array.from({ length: n }, () => one),
    0,
  );
  for (let i = 0; i < head.layers; i++) {
    h = headLayer(s.at('tagging_head', 'encoder', 'layer', i), h, imageEmbeds, config);
  }
  return reshape(linear(s.at('fc'), h, 1), [n, tags]);
}

/**
 *     a = norm(dense(attention(x, picture)) + x)
 *     y = norm(dense(gelu(dense(a))) + a)
 *
 * @param x `[N, tags, hidden]` @param picture `[N, tokens, memory]`
 */
function headLayer(s: Scope, x: Value, picture: Value, { head }: TaggerConfig): Value {
  const { hidden, intermediate, heads } = head;
  const cross = s.at('crossattention');
  const q = linear(cross.at('self', 'query'), x, hidden);
  const [k, v] = ['key', 'value'].map((name) => linear(cross.at('self', name), picture, hidden));
  const seen = linear(cross.at('output', 'dense'), attention(q, k!, v!, heads), hidden);
  const a = cross.out(layerNorm(cross.at('output', 'LayerNorm'), add(seen, x), headEpsilon));
  const wide = gelu(linear(s.at('intermediate', 'dense'), a, intermediate));
  const y = add(linear(s.at('output', 'dense'), wide, hidden), a);
  return s.out(layerNorm(s.at('output', 'LayerNorm'), y, headEpsilon));
}
