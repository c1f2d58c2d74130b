/** @file Scaled dot-product attention (Vaswani 2017), in the form each provider runs fast and right. */
import {
  cast,
  concat,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  transpose,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { supports } from '../graph/providers.ts';

/**
 *     y = softmax(q·kᵀ / sqrt(d))·v, for each head
 *
 * @param q `[N, L, C]` @param keys `[N, S, C]` @param values `[N, S, C]`, C = heads·d
 * @param mask added to the scores, `[L, S]`
 * @returns `[N, L, C]`
 */
export function attention(
  q: Value,
  keys: Value,
  values: Value,
  heads: number,
  mask?: Value,
): Value {
  const { target } = q.graph;
  const [k, v] = [cast(keys, q.dtype), cast(values, q.dtype)];
  const width = (q.shape[2] as number) / heads;
  const scale = 1 / Math.sqrt(width);
  if (!target.training && !mask && target.device === 'cuda') {
    // Flash attention, without transposes.
    return q.graph.add('Attention', [q, k, v], { q_num_heads: heads, kv_num_heads: heads, scale });
  }
  // Its gradient computes the probabilities anew, so training keeps nothing of L×S either.
  if (!mask && supports(target.device, 'MultiHeadAttention')) {
    return q.graph.add('MultiHeadAttention', [q, k, v], { num_heads: heads, scale });
  }
  const [qh, kh, vh] = [mul(q, scale), k, v].map((x) => splitHeads(x, heads)) as [
    Value,
    Value,
    Value,
  ];
  const turned = transpose(kh, [0, 1, 3, 2]);
  const rows = target.device === 'webgpu' && !mask ? rowsAtOnce(qh, kh) : undefined;
  if (rows !== undefined) {
    const length = qh.shape[2] as number;
    const parts: Value[] = [];
    for (let at = 0; at < length; at += rows) {
      const part = slice(qh, 2, at, Math.min(at + rows, length));
      parts.push(matMul(wideSoftmax(matMul(part, turned)), vh));
    }
    return joinHeads(concat(parts, 2));
  }
  let scores = matMul(qh, turned); // [N, heads, L, S]
  if (mask) scores = scores.graph.add('Add', [scores, mask], {});
  return joinHeads(matMul(wideSoftmax(scores), vh));
}

/** Softmax in float32: exponentials overflow in float16. */
function wideSoftmax(scores: Value): Value {
  return cast(softmax(cast(scores, 'float32')), scores.dtype);
}

/**
 * Queries whose scores fit into what a WebGPU shader can be given at once (128 MiB, the specification's
 * least limit; with more, onnxruntime 1.30 computes zeros and says nothing). Undefined where all do, or
 * sizes are not known.
 */
function rowsAtOnce(q: Value, k: Value): number | undefined {
  const [n, heads, length] = q.shape;
  const known = [n, heads, length, k.shape[2]];
  if (!known.every((size) => typeof size === 'number')) return undefined;
  const [batch, many, all, keys] = known as [number, number, number, number];
  const rows = Math.max(1, Math.floor(2 ** 25 / (batch * many * keys)));
  return rows < all ? rows : undefined;
}

/** `[N, L, heads·d] -> [N, heads, L, d]`. */
function splitHeads(x: Value, heads: number): Value {
  const [n, l, c] = x.shape;
  return transpose(reshape(x, [n!, l!, heads, (c as number) / heads]), [0, 2, 1, 3]);
}

/** `[N, heads, L, d] -> [N, L, heads·d]`. */
function joinHeads(x: Value): Value {
  const [n, heads, l, d] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [n!, l!, (heads as number) * (d as number)]);
}
