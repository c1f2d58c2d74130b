/** @file Spatial transformer of the UNet: self-attention, attention to the text, feed-forward. */
import { add, gelu, mul, slice } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { conv } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import { picture, tokensOf } from '../nn/tokens.ts';
import { norm } from './resnet.ts';

export interface TransformerStyle {
  readonly heads: number;
  readonly layers: number;
  readonly groups: number;
  /** Linear layers before and after, as SD 2.x, or 1×1 convolutions, as SD 1.x. */
  readonly linearProjection: boolean;
}

/** Where the keys and values of attention to the text come from. */
export interface TextContext {
  keys(s: Scope, width: number): Value;
  values(s: Scope, width: number): Value;
}

/** Keys and values computed from the text embedding `[N, 77, D]`, inside this graph. */
export function embeddedText(embedding: Value): TextContext {
  return {
    keys: (s, width) => linear(s.at('to_k'), embedding, width, { bias: false }),
    values: (s, width) => linear(s.at('to_v'), embedding, width, { bias: false }),
  };
}

/** Keys and values computed once per picture and given to every tile as inputs `[N, 77, C]`. */
export function givenText(batch: number | string, tokens: number): TextContext {
  const input = (s: Scope, name: string, width: number): Value =>
    s.graph.input(s.key(name), 'float32', [batch, tokens, width]);
  return {
    keys: (s, width) => input(s, 'k', width),
    values: (s, width) => input(s, 'v', width),
  };
}

/**
 * Transformer over the pixels, as a residual.
 *
 * @param x `[N, C, H, W]`
 * @returns `[N, C, H, W]`
 * @see diffusers Transformer2DModel
 */
export function spatialTransformer(
  s: Scope,
  x: Value,
  text: TextContext,
  style: TransformerStyle,
): Value {
  const width = x.shape[1] as number;
  const { linearProjection: linearFirst, groups } = style;
  const normal = norm(s.at('norm'), x, { groups, epsilon: 1e-6 });
  const projected = linearFirst ? normal : conv(s.at('proj_in'), normal, width, { kernel: 1 });
  let h = tokensOf(projected); // [N, H·W, C]
  if (linearFirst) h = linear(s.at('proj_in'), h, width);
  for (let i = 0; i < style.layers; i++) {
    h = transformerBlock(s.at('transformer_blocks', i), h, text, style.heads);
  }
  if (linearFirst) h = linear(s.at('proj_out'), h, width);
  const pixels = picture(h, x);
  const y = linearFirst ? pixels : conv(s.at('proj_out'), pixels, width, { kernel: 1 });
  return s.out(add(x, y));
}

/**
 *     x = x + selfAttention(norm1(x))
 *     x = x + crossAttention(norm2(x), text)
 *     x = x + feedForward(norm3(x))
 *
 * @param x `[N, L, C]`
 */
function transformerBlock(s: Scope, x: Value, text: TextContext, heads: number): Value {
  const epsilon = 1e-5;
  const h = add(x, selfAttention(s.at('attn1'), layerNorm(s.at('norm1'), x, epsilon), heads));
  const h1 = add(
    h,
    crossAttention(s.at('attn2'), layerNorm(s.at('norm2'), h, epsilon), text, heads),
  );
  return s.out(add(h1, feedForward(s.at('ff', 'net'), layerNorm(s.at('norm3'), h1, epsilon))));
}

function selfAttention(s: Scope, x: Value, heads: number): Value {
  const width = x.shape[2] as number;
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((name) =>
    linear(s.at(name), x, width, { bias: false }),
  );
  return linear(s.at('to_out', 0), attention(q!, k!, v!, heads), width);
}

function crossAttention(s: Scope, x: Value, text: TextContext, heads: number): Value {
  const width = x.shape[2] as number;
  const q = linear(s.at('to_q'), x, width, { bias: false });
  const y = attention(q, text.keys(s, width), text.values(s, width), heads);
  return linear(s.at('to_out', 0), y, width);
}

/** GEGLU (Shazeer 2020), four times as wide inside. */
function feedForward(s: Scope, x: Value): Value {
  const width = x.shape[2] as number;
  const h = linear(s.at(0, 'proj'), x, 8 * width);
  const [value, gate] = [slice(h, 2, 0, 4 * width), slice(h, 2, 4 * width, 8 * width)];
  return linear(s.at(2), mul(value, gelu(gate)), width);
}
