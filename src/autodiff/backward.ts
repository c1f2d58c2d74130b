/** @file Reverse-mode differentiation: extends a graph by the gradients of one of its values. */
import { isStatic, printShape } from '../graph/dims.ts';
import { scalar } from '../graph/functions.ts';
import type { Node, Value } from '../graph/graph.ts';
import { constantInts } from '../graph/infer.ts';
import { ShapeError, UsageError } from '../tensor/errors.ts';
import { Contributions } from './contributions.ts';
import { isStopped } from './order.ts';
import { applied, type Rule } from './rule.ts';
import { flat, rules } from './rules.ts';
import { planSegments, type Segment, segmentView } from './segments.ts';

export interface GradientOptions {
  /** dL/dloss, of the loss's shape. Without it the loss must be a single number, and this is 1. */
  readonly seed?: Value;
  /**
   * Bounds memory: of what the forward pass computes only the ends of segments are kept, and the rest
   * is computed again, segment by segment, on the way back (Chen 2016, "Training deep nets with
   * sublinear memory cost"). This many bytes, about, lie inside a segment; `auto` looks for the size
   * that needs the least memory. Without it everything is kept.
   */
  readonly segmentBytes?: number | 'auto';
  /**
   * Keeps what convolutions, matrix products and attention compute inside segments too: then only
   * norms, activations and the like are computed again, which saves less memory but costs little time.
   */
  readonly keepProducts?: boolean;
}

/**
 * The gradients of `loss` with respect to each of `wrt`, as new values of the same graph.
 *
 * Only what leads from `wrt` to the loss is differentiated: a frozen weight costs nothing. The result
 * is made of ordinary operators, so it can be differentiated again.
 *
 * @param wrt inputs, weights or values in between
 * @returns one gradient for each of `wrt`, of its shape
 * @throws ShapeError when a size on the way is symbolic or zero
 * @throws UsageError when the loss does not depend on one of `wrt`
 */
export function gradients(
  loss: Value,
  wrt: readonly Value[],
  options: GradientOptions = {},
): Value[] {
  const path = nodesBetween(wrt, loss);
  const active = new Set([...wrt, ...path.map(({ output }) => output)]);
  active.forEach(checkShape);
  const sums = new Contributions();
  sums.add(loss, seedOf(loss, options));
  const { segmentBytes = Number.POSITIVE_INFINITY, keepProducts = false } = options;
  const segments = planSegments(path, { bytes: segmentBytes, keepProducts });
  let done: Value[] = [];
  for (const segment of segments.reverse()) {
    const view = segmentView(segment, done);
    done = backThrough(segment, active, sums, view);
  }
  return wrt.map((value) => {
    const gradient = sums.total(value);
    if (gradient) return gradient;
    throw new UsageError(
      `gradients: expected the loss to depend on "${value.name}", got no differentiable way to it. Leave it out, or look for stopGradient and flat operators in between.`,
    );
  });
}

/** Those of `candidates` that {@link gradients} of `loss` can be taken with respect to. */
export function dependencies(loss: Value, candidates: readonly Value[]): Value[] {
  const used = new Set([loss, ...nodesBetween(candidates, loss).flatMap(({ inputs }) => inputs)]);
  return candidates.filter((value) => used.has(value));
}

/** The nodes that lie on a way from `wrt` to `loss`, in the graph's order. */
function nodesBetween(wrt: readonly Value[], loss: Value): Node[] {
  const moved = new Set(wrt);
  const nodes = loss.graph.nodes.filter(({ op, output, inputs }) => {
    if (rules[op] === flat || isStopped(output)) return false;
    const moves = inputs.some((x) => x !== undefined && moved.has(x));
    if (moves) moved.add(output);
    return moves;
  });
  const needed = new Set([loss]);
  const kept = nodes.reverse().filter(({ output, inputs }) => {
    if (!needed.has(output)) return false;
    for (const x of inputs) if (x) needed.add(x);
    return true;
  });
  return kept.reverse();
}

function checkShape({ name, shape }: Value): void {
  if (!isStatic(shape)) {
    throw new ShapeError(
      `gradients: expected known sizes, got "${name}" ${printShape(shape)}. Build the graph for a fixed size.`,
    );
  }
  if (shape.includes(0)) {
    throw new ShapeError(
      `gradients: expected no empty tensor, got "${name}" ${printShape(shape)}.`,
    );
  }
}

function seedOf(loss: Value, { seed }: GradientOptions): Value {
  if (seed) {
    if (printShape(seed.shape) === printShape(loss.shape)) return seed;
    throw new ShapeError(
      `gradients: expected a seed of the loss's shape ${printShape(loss.shape)}, got ${printShape(seed.shape)}.`,
    );
  }
  if (loss.shape.length === 0) return scalar(loss.graph, 1);
  throw new ShapeError(
    `gradients: expected a loss of rank 0, got ${printShape(loss.shape)}. Reduce it, or give a seed.`,
  );
}

/**
 * Carries gradients from the outputs of a segment to its inputs.
 *
 * @param view where rules read the values of the forward pass
 * @returns the gradients of values from outside of the segment
 */
function backThrough(
  { nodes }: Segment,
  active: ReadonlySet<Value>,
  sums: Contributions,
  view: (value: Value) => Value,
): Value[] {
  const inside = new Set(nodes.map(({ output }) => output));
  const given: Value[] = [];
  for (const node of [...nodes].reverse()) {
    const dy = sums.total(node.output);
    if (!dy) continue;
    const { x, y, attr } = applied(node);
    const seen = x.map((value) => value && view(value)) as unknown as typeof x;
    const gradientOf = (rules[node.op] as Rule)(dy, { x: seen, y: view(y), attr });
    const part = slicePart(node);
    node.inputs.forEach((input, i) => {
      if (!input || !active.has(input)) return;
      const gradient = part ? dy : gradientOf[i]?.();
      if (!gradient) return;
      sums.add(input, gradient, part);
      if (!inside.has(input)) given.push(gradient);
    });
  }
  return given;
}

/** Where a plain slice cuts: its gradients are put together rather than padded one by one. */
function slicePart({ op, inputs, output }: Node): { axis: number; start: number } | undefined {
  if (op !== 'Slice') return undefined;
  const [starts, , axes, steps] = inputs.slice(1).map(constantInts);
  if (axes!.length !== 1 || (steps && steps[0] !== 1)) return undefined;
  const axis = axes![0]!;
  const size = inputs[0]!.shape[axis] as number;
  const start = starts![0]! < 0 ? starts![0]! + size : starts![0]!;
  return { axis, start: Math.min(Math.max(start, 0), size - (output.shape[axis] as number)) };
}
