/** @file Gradients of operators that move elements about. */
import {
  cast,
  equal,
  ints,
  matMul,
  pad as surround,
  reshape,
  slice as cut,
  spaceToDepth,
  transpose,
} from '../graph/functions.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { constantInts } from '../graph/infer.ts';
import type { OpAttributes } from '../graph/ops.ts';
import { alongAxis, foldMatrix } from './linear-maps.ts';
import type { Applied, Gradient } from './rule.ts';

/** The permutation that undoes `perm`. */
export function inverse(perm: readonly number[]): readonly number[] {
  const out = perm.map(() => 0);
  perm.forEach((from, to) => (out[from] = to));
  return out;
}

/** Each input gets its own part of dy. */
export function concat(dy: Value, x: Applied['x'], axis: number): readonly Gradient[] {
  let end = 0;
  return x.map((part) => {
    const start = end;
    end += part.shape[axis] as number;
    const stop = end;
    return () => cut(dy, axis, start, stop);
  });
}

/** What was cut out gets dy, the rest zero: dy is spaced out by the step and set in its place. */
export function slice(dy: Value, [x, ...bounds]: Applied['x']): Value {
  const [starts, , axes, steps] = bounds.map(constantInts);
  let dx = dy;
  axes!.forEach((axis, i) => {
    const size = x.shape[axis] as number;
    const step = steps?.[i] ?? 1;
    const from = starts![i]! < 0 ? starts![i]! + size : starts![i]!;
    const start = Math.min(Math.max(from, 0), size - 1);
    const count = dx.shape[axis] as number;
    // A backward slice is a forward one from its last element, turned round.
    if (step < 0) dx = cut(dx, axis, -1, -(2 ** 31), -1);
    const first = step < 0 ? start + (count - 1) * step : start;
    dx = spaceOut(dx, axis, Math.abs(step));
    const last = size - first - (dx.shape[axis] as number);
    dx = border(dx, axis, first, last);
  });
  return dx;
}

/** Zeros before and after along one axis; negative counts cut elements off. */
export function border(x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  const none = x.shape.map(() => 0);
  return surround(x, none.with(axis, before), none.with(axis, after));
}

/** `step - 1` zeros between the elements along `axis`: n elements become (n - 1)·step + 1. */
export function spaceOut(x: Value, axis: number, step: number): Value {
  const shape = x.shape as readonly number[];
  const size = shape[axis]!;
  if (step === 1 || size === 1) return x;
  const apart = reshape(x, shape.toSpliced(axis + 1, 0, 1)); // [..., n, 1, ...]
  const none = apart.shape.map(() => 0);
  const spaced = surround(apart, none, none.with(axis + 1, step - 1));
  return cut(reshape(spaced, shape.with(axis, size * step)), axis, 0, (size - 1) * step + 1);
}

/** Zeros were added: they are cut off. A mirrored or repeated border: it is folded back and added. */
export function pad(dy: Value, [x, pads]: Applied['x'], mode: OpAttributes['Pad']['mode']): Value {
  const amounts = constantInts(pads)!;
  return x.shape.reduce<Value>((dx, size, axis) => {
    const [before, after] = [amounts[axis]!, amounts[axis + x.shape.length]!];
    if (mode === 'constant') return border(dx, axis, -before, -after);
    if (before === 0 && after === 0) return dx;
    return alongAxis(dx, axis, foldMatrix(size as number, before, after, mode));
  }, dy);
}

/**
 * Rows were copied by index: each row of x gets the sum of its copies' gradients, as the product of
 * dy with the table of who copied whom. Indices are not negative.
 */
export function gather(dy: Value, [x, indices]: Applied['x'], axis: number): Value {
  const shape = x.shape as readonly number[];
  const rows = shape[axis]!;
  const [outer, inner] = [shape.slice(0, axis), shape.slice(axis + 1)];
  const place = equal(reshape(indices, [1, -1]), column(x.graph, rows)); // [rows, copies]
  const copies = indices.shape.reduce<number>((n, size) => n * (size as number), 1);
  const product = (sizes: readonly number[]): number => sizes.reduce((p, size) => p * size, 1);
  const flat = reshape(dy, [product(outer), copies, product(inner)]);
  return reshape(matMul(cast(place, 'float32'), flat), shape);
}

function column(graph: Graph, size: number): Value {
  return reshape(ints(graph, [...Array(size).keys()]), [size, 1]);
}

/**
 * Depth-to-space undone. Of `[N, b·b·C, H, W]` ONNX's DCR counts blocks outermost, as space-to-depth
 * does; CRD counts channels outermost, so the two are exchanged.
 */
export function depthToSpace(dy: Value, { blocksize, mode }: OpAttributes['DepthToSpace']): Value {
  const deep = spaceToDepth(dy, blocksize);
  if (mode === 'DCR') return deep;
  const [n, c, h, w] = deep.shape as readonly [number, number, number, number];
  const blocks = blocksize * blocksize;
  const apart = reshape(deep, [n, blocks, c / blocks, h, w]);
  return reshape(transpose(apart, [0, 2, 1, 3, 4]), [n, c, h, w]);
}
