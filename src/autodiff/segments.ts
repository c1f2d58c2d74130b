/** @file Recomputed segments: trading a second forward pass for memory (Chen 2016). */
import { mul } from '../graph/functions.ts';
import type { Node, Value } from '../graph/graph.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import { elementCount } from '../tensor/tensor.ts';
import { gate } from './order.ts';

/** A run of nodes of the forward pass. */
export interface Segment {
  readonly nodes: readonly Node[];
  /** What later segments use: kept rather than computed again. */
  readonly kept: ReadonlySet<Value>;
}

/** Operators whose output is their input's memory. */
const aliases: ReadonlySet<string> = new Set(['Reshape', 'Identity']);

function bytes({ op, output }: Node): number {
  if (aliases.has(op)) return 0;
  return elementCount(output.shape as readonly number[]) * bytesPerElement(output.dtype);
}

/**
 * Cuts a forward pass into segments that compute about `limit` bytes each. Each cut is made where the
 * least has to be kept: between the blocks of a network rather than inside of one.
 *
 * @param path the nodes to be differentiated, in order
 */
export function planSegments(path: readonly Node[], limit: number): Segment[] {
  const lastUse = new Map<Value, number>();
  path.forEach(({ inputs }, i) => {
    for (const x of inputs) if (x) lastUse.set(x, i);
  });
  const segments: Segment[] = [];
  let start = 0;
  let inside = 0;
  for (let i = 0; i < path.length; i++) {
    inside += bytes(path[i]!);
    if (inside <= limit || i === path.length - 1) continue;
    const cut = bestCut(path, start, i + 1, lastUse);
    segments.push(segment(path, start, cut, lastUse));
    start = cut;
    inside = path.slice(start, i + 1).reduce((sum, node) => sum + bytes(node), 0);
  }
  segments.push(segment(path, start, path.length, lastUse));
  return segments;
}

function segment(
  path: readonly Node[],
  start: number,
  end: number,
  lastUse: ReadonlyMap<Value, number>,
): Segment {
  const nodes = path.slice(start, end);
  const outputs = nodes.map(({ output }) => output);
  return { nodes, kept: new Set(outputs.filter((v) => (lastUse.get(v) ?? -1) >= end)) };
}

/** Where between `start` and `end`, in the second half by bytes, the fewest bytes cross. */
function bestCut(
  path: readonly Node[],
  start: number,
  end: number,
  lastUse: ReadonlyMap<Value, number>,
): number {
  const nodes = path.slice(start, end);
  const total = nodes.reduce((sum, node) => sum + bytes(node), 0);
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
