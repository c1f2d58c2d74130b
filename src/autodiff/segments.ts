/** @file Recomputed segments: trading a second forward pass for memory (Chen 2016). */
import { mul } from '../graph/functions.ts';
import type { Node, Value } from '../graph/graph.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import { UsageError } from '../tensor/errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { gate } from './order.ts';

/** A run of nodes of the forward pass. */
export interface Segment {
  readonly nodes: readonly Node[];
  /** What is kept rather than computed again: all that later segments use, and maybe more. */
  readonly kept: ReadonlySet<Value>;
}

/** Operators that take most of the time. */
const products: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'MatMul',
  'MultiHeadAttention',
]);

/** Operators whose output is their input's memory. */
const aliases: ReadonlySet<string> = new Set(['Reshape', 'Identity']);

function bytes({ op, output }: Node): number {
  if (aliases.has(op)) return 0;
  return elementCount(output.shape as readonly number[]) * bytesPerElement(output.dtype);
}

export interface SegmentOptions {
  /** How many bytes a segment computes, about; `auto` looks for what needs the least memory. */
  readonly bytes: number | 'auto';
  /** See `GradientOptions`. */
  readonly keepProducts: boolean;
}

/**
 * Cuts a forward pass into segments. Each cut is made where the least has to be kept: between the
 * blocks of a network rather than inside of one.
 *
 * @param path the nodes to be differentiated, in order
 * @throws UsageError when the size is no positive number
 */
export function planSegments(path: readonly Node[], options: SegmentOptions): Segment[] {
  const { bytes: limit, keepProducts } = options;
  if (limit !== 'auto') {
    if (limit > 0) return cutSegments(path, limit, keepProducts);
    throw new UsageError(`gradients: expected segments of a positive size, got ${limit} bytes.`);
  }
  const total = totalBytes(path);
  const plans = Array.from({ length: 8 }, (_, k) =>
    cutSegments(path, total / 2 ** k, keepProducts),
  );
  const [first, ...others] = plans as [Segment[], ...Segment[][]];
  return others.reduce((best, plan) => (needed(plan) < needed(best) ? plan : best), first);
}

/** The most memory that a plan holds: what is kept, and the largest segment. */
function needed(segments: readonly Segment[]): number {
  const kept = segments.map(({ nodes, kept: some }) =>
    totalBytes(nodes.filter(({ output }) => some.has(output))),
  );
  const rest = segments.map(({ nodes }, i) => totalBytes(nodes) - kept[i]!);
  return kept.reduce((sum, size) => sum + size, 0) + Math.max(...rest);
}

function totalBytes(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + bytes(node), 0);
}

function cutSegments(path: readonly Node[], limit: number, keepProducts: boolean): Segment[] {
  const lastUse = new Map<Value, number>();
  path.forEach(({ inputs }, i) => {
    for (const x of inputs) if (x) lastUse.set(x, i);
  });
  const isKept = ({ op, output }: Node, end: number): boolean =>
    (keepProducts && products.has(op)) || (lastUse.get(output) ?? -1) >= end;
  const segment = (from: number, end: number): Segment => {
    const nodes = path.slice(from, end);
    const kept = nodes.filter((node) => isKept(node, end)).map(({ output }) => output);
    return { nodes, kept: new Set(kept) };
  };
  const segments: Segment[] = [];
  let start = 0;
  let inside = 0;
  for (let i = 0; i < path.length; i++) {
    inside += bytes(path[i]!);
    if (inside <= limit || i === path.length - 1) continue;
    const cut = bestCut(path, start, i + 1, lastUse);
    segments.push(segment(start, cut));
    start = cut;
    inside = totalBytes(path.slice(start, i + 1));
  }
  segments.push(segment(start, path.length));
  return segments;
}

/** Where between `start` and `end`, in the second half by bytes, the fewest bytes cross. */
function bestCut(
  path: readonly Node[],
  start: number,
  end: number,
  lastUse: ReadonlyMap<Value, number>,
): number {
  const nodes = path.slice(start, end);
  const total = totalBytes(nodes);
  let best = end;
  let least = Number.POSITIVE_INFINITY;
  let before = 0;
  nodes.forEach((node, i) => {
    before += bytes(node);
    const cut = start + i + 1;
    if (before < total / 2) return;
    const crossing = nodes
      .slice(0, i + 1)
      .filter(({ output }) => (lastUse.get(output) ?? -1) >= cut)
      .reduce((sum, { output }) => sum + bytes({ ...node, op: 'Add', output }), 0);
    if (crossing <= least) [best, least] = [cut, crossing];
  });
  return best;
}

/**
 * The values of a segment as they are computed again, each when it is first asked for.
 *
 * Whatever a segment reads from outside comes through a {@link gate}, so that onnxruntime can neither
 * compute it before its turn nor merge it with the first computation. What depends on parameters alone
 * is left as it is.
 *
 * @param done what must be computed first; nothing for the segment that comes last in the forward
 *   pass, whose values are still there
 */
export function segmentView(
  { nodes, kept }: Segment,
  done: readonly Value[],
): (value: Value) => Value {
  if (done.length === 0) return (value) => value;
  const turn = gate(done);
  const inside = new Map(nodes.map((node) => [node.output, node]));
  const seen = new Map<Value, Value>();
  const view = (value: Value): Value => {
    const known = seen.get(value);
    if (known) return known;
    const node = kept.has(value) ? undefined : inside.get(value);
    const again = node ? recomputed(node, view) : readAgain(value, turn);
    seen.set(value, again);
    return again;
  };
  // In the order of the forward pass, so that no call goes deep.
  for (const { output } of nodes) view(output);
  return view;
}

function recomputed(node: Node, view: (value: Value) => Value): Value {
  const inputs = node.inputs.map((x) => (x ? view(x) : x));
  if (inputs.every((x, i) => x === node.inputs[i])) return node.output;
  return node.output.graph.add(node.op, inputs, node.attributes, 'again');
}

function readAgain(value: Value, turn: Value): Value {
  const { graph, dtype, weight, constant, node, name } = value;
  if (weight || constant || dtype !== 'float32') return value;
  if (!node && graph.trainable(name)) return value;
  return mul(value, turn);
}
