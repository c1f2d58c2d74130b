/** @file Fully connected layer, with the LoRA adapters that lie on it. */
import { add, cast, matMul, mul, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { transposed } from './recipes.ts';

export interface LinearOptions {
  bias?: boolean;
}

/**
 *     y = x·Wᵀ + b  (+ scale·x·Aᵀ·Bᵀ for each adapter)
 *
 * @param x `[..., in]`
 * @returns `[..., out]`
 * @see torch.nn.Linear, whose `weight` is `[out, in]`.
 */
export function linear(
  s: Scope,
  x: Value,
  out: number,
  { bias = true }: LinearOptions = {},
): Value {
  const inputs = x.shape.at(-1) as number;
  let y = matMul(x, cast(weightTransposed(s, [out, inputs]), x.dtype));
  if (bias) y = add(y, cast(s.weight('bias', [out]), x.dtype));
  for (const { name, rank, scale } of s.adapters.on(s.path)) {
    const down = transpose(s.weight(`lora_A.${name}.weight`, [rank, inputs]), [1, 0]);
    const up = transpose(s.weight(`lora_B.${name}.weight`, [out, rank]), [1, 0]);
    y = add(y, matMul(mul(matMul(x, down), scale), up)); // scaled where it is small
  }
  return s.out(y);
}

/** Wᵀ: turned at run time while it is trained, beforehand where it is fixed. */
function weightTransposed(s: Scope, shape: readonly [number, number]): Value {
  const w = s.weight('weight', shape);
  if (!w.weight) return transpose(w, [1, 0]);
  return s.derived('weight.T', {
    shape: [shape[1], shape[0]],
    sources: [{ key: s.key('weight'), shape }],
    make: ([w]) => transposed(w!),
  });
}
