/** @file Gradients of the matrix product, batched or with one matrix for all. */
import { matMul as product, reshape, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { zeros } from '../tensor/tensor.ts';
import { beforehand } from './fixed.ts';
import type { Gradient } from './rule.ts';

/**
 * y = A·B, so dA = dy·Bᵀ and dB = Aᵀ·dy, summed by the engine over axes that were broadcast.
 *
 * Where B is one matrix `[K, M]` for all of A `[..., L, K]`, its gradient is one product over all rows
 * of A rather than a product each and their sum.
 */
export function matMul(dy: Value, a: Value, b: Value): readonly Gradient[] {
  const rows = (x: Value): Value => (x.shape.length === 2 ? x : reshape(x, [-1, x.shape.at(-1)!]));
  return [
    () => product(dy, turned(b)),
    () => (b.shape.length === 2 ? product(turned(rows(a)), rows(dy)) : product(turned(a), dy)),
  ];
}

/** The last two axes exchanged; beforehand, where the matrix is a fixed one. */
function turned(x: Value): Value {
  const perm = x.shape.map((_, axis) => axis);
  const [last, other] = [perm.pop()!, perm.pop()!];
  if (x.shape.length === 2) {
    const [rows, columns] = x.shape as [number, number];
    const fixed = beforehand(x, 'turned', [columns, rows], ({ data }) => {
      const out = zeros('float32', [columns, rows]);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) out.data[c * rows + r] = data[r * columns + c]!;
      }
      return out;
    });
    if (fixed) return fixed;
  }
  return transpose(x, [...perm, last, other]);
}
