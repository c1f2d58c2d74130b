/** @file The text encoder of CLIP under the names of OpenAI's own files (Radford 2021). */
import { add, gather, matMul, quickGelu, reshape, slice } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import { transposed } from '../nn/recipes.ts';
import { float32, tensor } from '../tensor/tensor.ts';
import { clipHead, type ClipConfig } from './clip-config.ts';

const epsilon = 1e-5;

/**
 * The embeddings of texts.
 *
 * @param s scope of the whole checkpoint
 * @param ids tokens from start to end, one text a row, filled up with zeros: all rows as long
 * @returns `[texts, embed]`
 */
export function clipTexts(
  s: Scope,
  ids: readonly (readonly number[])[],
  { text, embed }: ClipConfig,
): Value {
  const { graph } = s;
  const { width, layers, vocabulary, positions } = text;
  const [count, length] = [ids.length, ids[0]!.length];
  const words = s.at('token_embedding').weight('weight', [vocabulary, width]);
  const numbers = BigInt64Array.from(ids.flat(), BigInt);
  const tokens = gather(words, graph.constant(tensor('int64', [count, length], numbers)));
  const places = slice(s.weight('positional_embedding', [positions, width]), 0, 0, length);
  let h = add(tokens, reshape(places, [1, length, width]));
  const mask = causalMask(s, length);
  for (let i = 0; i < layers; i++) h = textBlock(s.at('transformer', 'resblocks', i), h, mask);
  h = layerNorm(s.at('ln_final'), h, epsilon); // [texts, length, width]
  // The end token has the largest id, and stands for the whole text: it alone has seen all of it.
  const ends = ids.map((row, i) => i * length + row.indexOf(Math.max(...row)));
  const flat = reshape(h, [count * length, width]);
  const last = gather(
    flat,
    graph.constant(tensor('int64', [count], BigInt64Array.from(ends, BigInt))),
  );
  return matMul(last, s.weight('text_projection', [width, embed]));
}

/** Tokens look back only. */
function causalMask(s: Scope, length: number): Value {
  const data = new Float32Array(length * length);
  for (let q = 0; q < length; q++) data.fill(-3.4e38, q * length + q + 1, (q + 1) * length);
  return s.graph.constant(float32([length, length], data));
}

/**
 *     h = x + W·attention(norm1(x))
 *     y = h + W2·quickGelu(W1·norm2(h))
 */
function textBlock(s: Scope, x: Value, mask: Value): Value {
  const width = x.shape[2] as number;
  const qkv = projections(s.at('attn'), layerNorm(s.at('ln_1'), x, epsilon));
  const [q, k, v] = [0, 1, 2].map((i) => slice(qkv, 2, i * width, (i + 1) * width));
  const seen = attention(q!, k!, v!, width / clipHead, mask);
  const h = add(x, linear(s.at('attn', 'out_proj'), seen, width));
  const wide = quickGelu(
    linear(s.at('mlp', 'c_fc'), layerNorm(s.at('ln_2'), h, epsilon), 4 * width),
    1.702,
  );
  return s.out(add(h, linear(s.at('mlp', 'c_proj'), wide, width)));
}

/** q, k and v side by side, whose weight torch keeps as one. */
function projections(s: Scope, x: Value): Value {
  const width = x.shape[2] as number;
  const shape = [3 * width, width];
  const w = s.derived('in_proj_weight.T', {
    shape: [width, 3 * width],
    sources: [{ key: s.key('in_proj_weight'), shape }],
    make: ([weight]) => transposed(weight!),
  });
  return add(matMul(x, w), s.weight('in_proj_bias', [3 * width]));
}
