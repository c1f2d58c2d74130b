/** @file Gradient of onnxruntime's fused attention. */
import { matMul, mul, reshape, softmax, sub, sum, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { OpAttributes } from '../graph/ops.ts';
import type { Applied, Gradient } from './rule.ts';

/**
 * For each head, with S = scale·Q·Kᵀ and P = softmax(S), Y = P·V:
 *
 *     dV = Pᵀ·dY      dP = dY·Vᵀ      dS = P∘(dP - rowsum(P∘dP))
 *     dQ = scale·dS·K                 dK = scale·dSᵀ·Q
 *
 * where rowsum(P∘dP) = rowsum(dY∘Y), which is small. P is computed anew, so that nothing of the size
 * L×S has to be kept from the forward pass (Dao 2022, algorithm 4).
 *
 * @param x q `[N, L, C]`, k and v `[N, S, C]`, heads side by side
 */
export function multiHeadAttention(
  dy: Value,
  [q, k, v]: Applied['x'],
  y: Value,
  { num_heads: heads, scale }: OpAttributes['MultiHeadAttention'],
): readonly Gradient[] {
  const [qs, ks, vs, ys, dys] = [mul(q, scale), k, v, y, dy].map((x) => split(x, heads)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const turned = (x: Value): Value => transpose(x, [0, 1, 3, 2]);
  let p: Value | undefined;
  let ds: Value | undefined;
  const probabilities = (): Value => (p ??= softmax(matMul(qs, turned(ks))));
  const dScores = (): Value =>
    (ds ??= mul(probabilities(), sub(matMul(dys, turned(vs)), sum(mul(dys, ys), [3]))));
  return [
    () => mul(join(matMul(dScores(), ks)), scale),
    () => join(matMul(turned(dScores()), qs)),
    () => join(matMul(turned(probabilities()), dys)),
  ];
}

/** `[N, L, heads·d] -> [N, heads, L, d]`. */
function split(x: Value, heads: number): Value {
  const [n, l, c] = x.shape as [number, number, number];
  return transpose(reshape(x, [n, l, heads, c / heads]), [0, 2, 1, 3]);
}

/** `[N, heads, L, d] -> [N, L, heads·d]`. */
function join(x: Value): Value {
  const [n, heads, l, d] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [n, l, heads * d]);
}
