/** @file Gradients of the matrix product, batched or with one matrix for all. */
import { matMul as product, reshape, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { OpAttributes } from '../graph/ops.ts';
import type { Gradient } from './rule.ts';

/**
 * y = A·B, so dA = dy·Bᵀ and dB = Aᵀ·dy, summed by the engine over axes that were broadcast.
 *
 * Where B is one matrix `[K, M]` for all of A `[..., L, K]`, its gradient is one product over all rows
 * of A rather than a product each and their sum.
 */
export function matMul(dy: Value, a: Value, b: Value): readonly Gradient[] {
  return [
    () => product(dy, turned(b)),
    () => (b.shape.length === 2 ? product(turned(rows(a)), rows(dy)) : product(turned(a), dy)),
  ];
}

const rowsOf = new WeakMap<Value, Value>();

/** `[..., L, K] -> [rows, K]`, once for each value: several products may share an input. */
function rows(x: Value): Value {
  if (x.shape.length === 2) return x;
  const known = rowsOf.get(x) ?? reshape(x, [-1, x.shape.at(-1)!]);
  rowsOf.set(x, known);
  return known;
}

const turnedOf = new WeakMap<Value, Value>();

/** The last two axes exchanged: onnxruntime takes it into the product, so even a weight needs no copy. */
function turned(x: Value): Value {
  const known = turnedOf.get(x) ?? turnedBack(x) ?? turnedNow(x);
  turnedOf.set(x, known);
  return known;
}

/** What was turned already. */
function turnedBack({ node }: Value): Value | undefined {
  if (node?.op !== 'Transpose') return undefined;
  const { perm } = node.attributes as OpAttributes['Transpose'];
  return perm.join() === lastTwo(perm.length).join() ? node.inputs[0] : undefined;
}

function turnedNow(x: Value): Value {
  return transpose(x, lastTwo(x.shape.length));
}

/** The permutation that exchanges the last two of `rank` axes. */
function lastTwo(rank: number): number[] {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  const [last, other] = [perm.pop()!, perm.pop()!];
  return [...perm, last, other];
}
