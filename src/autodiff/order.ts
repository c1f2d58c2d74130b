/**
 * @file Says when values are computed, and where gradients end.
 *
 * onnxruntime runs nodes in an order of its own, bound by nothing but their inputs. So "only after" has
 * to be an input: a scalar 1 that is computed from what is to come first.
 */
import { add, cast, concat, identity, less, mul, reshape, slice, sum } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';

const stopped = new WeakSet<Value>();

/** `x`, through which no gradient passes. */
export function stopGradient(x: Value): Value {
  const y = identity(x);
  stopped.add(y);
  return y;
}

/** Whether {@link stopGradient} made this value. */
export function isStopped(value: Value): boolean {
  return stopped.has(value);
}

/**
 * `x`, exactly, but computed only once all of `first` are: what two parts of a graph hold in memory is
 * then never held at the same time. Gradients pass through.
 *
 * @param first float32 values of static shape; none leaves `x` as it is
 */
export function after(x: Value, first: readonly Value[]): Value {
  return first.length === 0 ? x : mul(x, gate(first));
}

/** A scalar 1 that depends on the first element of each value. `v < v` is false for NaN too. */
export function gate(first: readonly Value[]): Value {
  const firsts = first.map((v) => slice(reshape(v, [-1]), 0, 0, 1));
  const v = concat(firsts, 0);
  return add(sum(cast(less(v, v), 'float32'), [0], false), 1);
}
