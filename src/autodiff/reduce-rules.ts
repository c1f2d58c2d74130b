/** @file Gradients of sums, means and maxima over axes. */
import { cast, div, equal, expandLike, mul, reshape, sum } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { constantInts } from '../graph/infer.ts';

interface Attributes {
  readonly keepdims: 0 | 1;
}

/** y = Σ x: every element gets dy. */
export function spread(dy: Value, x: Value, axes: Value | undefined, attr: Attributes): Value {
  return expandLike(withAxes(dy, x, axes, attr), x);
}

/** y = Σ x / n: every element gets dy / n. */
export function spreadMean(dy: Value, x: Value, axes: Value | undefined, attr: Attributes): Value {
  const count = reduced(x, axes).reduce((n, axis) => n * (x.shape[axis] as number), 1);
  return expandLike(mul(withAxes(dy, x, axes, attr), 1 / count), x);
}

/** y = max x: the elements that equal it share dy evenly. */
export function reduceMax(
  dy: Value,
  x: Value,
  y: Value,
  axes: Value | undefined,
  attr: Attributes,
): Value {
  const hit = cast(equal(x, withAxes(y, x, axes, attr)), 'float32');
  const share = div(withAxes(dy, x, axes, attr), sum(hit, reduced(x, axes)));
  return mul(hit, share);
}

function reduced(x: Value, axes: Value | undefined): readonly number[] {
  const rank = x.shape.length;
  return constantInts(axes)?.map((axis) => (axis + rank) % rank) ?? x.shape.map((_, axis) => axis);
}

/** A reduced value with the reduced axes back in place, as size 1. */
function withAxes(v: Value, x: Value, axes: Value | undefined, { keepdims }: Attributes): Value {
  if (keepdims) return v;
  const gone = new Set(reduced(x, axes));
  return reshape(
    v,
    x.shape.map((size, axis) => (gone.has(axis) ? 1 : size)),
  );
}
