/** @file MANIQA (Yang 2022, "Multi-dimension Attention Network for No-Reference Image Quality Assessment"). */
import {
  add,
  concat,
  gelu,
  matMul,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  transpose,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { conv } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import type { ManiqaConfig, ManiqaStage } from './maniqa-config.ts';
import { swinBlock, windowsOf } from './swin.ts';

const vitEpsilon = 1e-6;
/** Blocks of the ViT whose outputs are looked at. */
const looked = [6, 7, 8, 9];

/** What MANIQA makes of each patch of a crop. */
export interface Maniqa {
  /** `[N, patches, 1]` */
  readonly scores: Value;
  /** How much each counts: the score of a picture is the weighted mean over the patches of its crops. */
  readonly weights: Value;
}

/**
 * Scores the patches of crops.
 *
 * @param x crops `[N, 3, 224, 224]`, RGB in [-1, 1]
 */
export function maniqa(s: Scope, x: Value, config: ManiqaConfig): Maniqa {
  const [first, second] = config.stages;
  let h = transpose(vitFeatures(s.at('vit'), x, config), [0, 2, 1]); // [N, 4·C, patches]
  h = stage(s, '1', h, first, config);
  h = stage(s, '2', h, second, config);
  const patches = transpose(h, [0, 2, 1]); // [N, patches, C]
  const score = s.at('fc_score');
  const weight = s.at('fc_weight');
  return {
    scores: score.out(relu(twoLayers(score, patches))),
    weights: weight.out(sigmoid(twoLayers(weight, patches))),
  };
}

/** The outputs of four blocks side by side, without the class token. @returns `[N, patches, 4·C]` */
function vitFeatures(s: Scope, x: Value, { vit }: ManiqaConfig): Value {
  const { width, patch } = vit;
  const n = x.shape[0] as number;
  const grid = conv(s.at('patch_embed', 'proj'), x, width, {
    kernel: patch,
    stride: patch,
    padding: 0,
  });
  const count = (grid.shape[2] as number) * (grid.shape[3] as number);
  const tokens = s.at('patch_embed').out(transpose(reshape(grid, [n, width, count]), [0, 2, 1]));
  const first = s.weight('cls_token', [1, 1, width]);
  const each = concat(
    Array.from({ length: n }, () => first),
    0,
  );
  let h = add(concat([each, tokens], 1), s.weight('pos_embed', [1, count + 1, width]));
  const outputs: Value[] = [];
  for (let i = 0; i <= looked.at(-1)!; i++) {
    h = vitBlock(s.at('blocks', i), h, vit);
    if (looked.includes(i)) outputs.push(slice(h, 1, 1));
  }
  return concat(outputs, 2);
}

/** Pre-norm transformer block (Dosovitskiy 2020, as timm has it). */
function vitBlock(s: Scope, x: Value, { width, heads, hidden }: ManiqaConfig['vit']): Value {
  const qkv = linear(s.at('attn', 'qkv'), layerNorm(s.at('norm1'), x, vitEpsilon), 3 * width);
  const [q, k, v] = [0, 1, 2].map((i) => slice(qkv, 2, i * width, (i + 1) * width));
  const h = add(x, linear(s.at('attn', 'proj'), attention(q!, k!, v!, heads), width));
  const wide = gelu(linear(s.at('mlp', 'fc1'), layerNorm(s.at('norm2'), h, vitEpsilon), hidden));
  return s.out(add(h, linear(s.at('mlp', 'fc2'), wide, width)));
}

/** Attention over channels twice, fewer channels, Swin. @param x `[N, C, patches]` */
function stage(
  s: Scope,
  name: '1' | '2',
  x: Value,
  { width, swin }: ManiqaStage,
  { scale }: ManiqaConfig,
): Value {
  let h = x;
  for (const i of [0, 1]) h = channelAttention(s.at(`tablock${name}`, i), h);
  const [n, channels, patches] = h.shape as [number, number, number];
  const side = Math.round(Math.sqrt(patches));
  h = conv(s.at(`conv${name}`), reshape(h, [n, channels, side, side]), width, { kernel: 1 });
  const at = s.at(`swintransformer${name}`);
  h = at.out(swinLayers(at, h, swin, scale));
  return reshape(h, [n, width, patches]);
}

/**
 * The transposed attention block: channels look at channels.
 *
 *     y = x + (softmax(q·kᵀ / sqrt(N))·v)ᵀ,   read back as if it had not been transposed
 *
 * @param x `[N, C, patches]`
 */
function channelAttention(s: Scope, x: Value): Value {
  const patches = x.shape[2] as number;
  const [q, k, v] = ['c_q', 'c_k', 'c_v'].map((name) => linear(s.at(name), x, patches));
  const scores = mul(matMul(q!, transpose(k!, [0, 2, 1])), 1 / Math.sqrt(patches));
  const mixed = transpose(matMul(softmax(scores), v!), [0, 2, 1]); // [N, patches, C]
  return s.out(add(reshape(mixed, x.shape), x));
}

/**
 *     x = x + scale·relu(conv(blocks(x)))   for each layer
 *
 * @param x `[N, C, H, W]`
 */
function swinLayers(s: Scope, x: Value, layers: ManiqaStage['swin'], scale: number): Value {
  const [n, width, side] = x.shape as [number, number, number];
  let h = x;
  layers.forEach(({ blocks, window, ...block }, i) => {
    const at = s.at('layers', i);
    const windows = windowsOf(s.graph, side, window, n);
    let tokens = transpose(reshape(h, [n, width, side * side]), [0, 2, 1]);
    for (let j = 0; j < blocks; j++) {
      tokens = swinBlock(at.at('blocks', j), tokens, block, windows, j % 2 === 1);
    }
    const picture = reshape(transpose(tokens, [0, 2, 1]), [n, width, side, side]);
    h = add(h, mul(relu(conv(at.at('conv'), picture, width, { kernel: 3 })), scale));
  });
  return h;
}

/** `W3·relu(W0·x)`: places 1 and 2 of the sequence have no weights. */
function twoLayers(s: Scope, x: Value): Value {
  return linear(s.at(3), relu(linear(s.at(0), x, x.shape[2] as number)), 1);
}
