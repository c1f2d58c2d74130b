/** @file Inferred shapes against those that onnxruntime computes, for sizes known and unknown. */
import test from 'ava';
import type { Dim } from '../../src/graph/dims.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run-graph.ts';

/** What the symbols of symbolic sizes stand for when the graph is run. */
const sizes: Readonly<Record<string, number>> = { n: 2, h: 3, w: 5 };

/** A size as a number: sizes are arithmetic in JavaScript's spelling. */
function sizeOf(dim: Dim): number {
  if (typeof dim === 'number') return dim;
  const spelled = dim.replace(/[a-z]/g, (symbol) => String(sizes[symbol]!));
  const product = (text: string): number =>
    text.split('*').reduce((value, factor) => value * Number(factor), 1);
  const affine = (text: string): number => {
    const [, scaled, offset] = /^([\d*]+)([+-]\d+)?$/.exec(text)!;
    return product(scaled!) + Number(offset ?? 0);
  };
  const factors = spelled.match(/\([^)]*\)/g);
  if (!factors) return affine(spelled);
  const known = Number(/^(\d+)\*\(/.exec(spelled)?.[1] ?? 1);
  return factors.reduce((value, factor) => value * affine(factor.slice(1, -1)), known);
}

function ramp(shape: readonly number[]): Tensor {
  return float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(i + 1)),
  );
}

type Build = (...inputs: Value[]) => Value;

const infers = test.macro({
  title: (_, name: string, shape: string) => `${name}: ${shape}`,
  async exec(t, _: string, shape: string, build: Build) {
    const [inputs, expected] = shape.split(' -> ') as [string, string];
    const shapes = inputs.split(', ').map((text) => text.split(' ').map(dim));
    const graph = new Graph();
    const values = shapes.map((dims, i) => graph.input(`x${i}`, 'float32', dims));
    const y = build(...values);
    t.is(y.shape.join(' '), expected);
    graph.output('y', y);
    const feeds = Object.fromEntries(
      shapes.map((dims, i) => [`x${i}`, ramp(dims.map(sizeOf))] as const),
    );
    const result = (await runGraph(graph, feeds))['y']!;
    t.deepEqual([...result.shape], y.shape.map(sizeOf));
    t.is(result.dtype, y.dtype);
  },
});

function dim(text: string): Dim {
  return /^\d+$/.test(text) ? Number(text) : text;
}

const weight = (x: Value, ...shape: number[]): Value => x.graph.constant(ramp(shape));
const two = [2, 2] as const;

test(infers, 'Add', '2 1 5, 3 1 -> 2 3 5', (a, b) => op.add(a, b));
test(infers, 'Mul, symbolic', 'n 3 4*h w, 1 3 1 1 -> n 3 4*h w', (a, b) => op.mul(a, b));
test(infers, 'Greater gives truth values', 'n 3, 3 -> n 3', (a, b) => op.greater(a, b));
test(infers, 'Where', 'n 3, n 1 -> n 3', (a, b) => op.where(op.greater(a, 0), b, 1));
test(infers, 'Reshape', '2 12 -> 2 3 4', (x) => op.reshape(x, [2, 3, 4]));
test(infers, 'Reshape with a rest', 'n 8 4*h w -> n 2 16*(h)*(w)', (x) => {
  return op.reshape(x, [x.shape[0]!, 2, -1]);
});
test(infers, 'Reshape of pixels to tokens', 'n h w 6 -> n (h)*(w) 6', (x) => {
  return op.reshape(x, [x.shape[0]!, -1, 6]);
});
test(infers, 'Reshape like another', 'n 2 24, n 3 16 -> n 3 16', op.reshapeLike);
test(infers, 'Expand like another', 'n 1 1, n 3 2*h -> n 3 2*h', op.expandLike);
test(infers, 'Transpose', 'n 4 8*h w -> n 8*h w 4', (x) => op.transpose(x, [0, 2, 3, 1]));
test(infers, 'Concat', 'n 4 h, n 3 h -> n 7 h', (a, b) => op.concat([a, b], 1));
test(infers, 'Concat of symbolic sizes', 'h 2, 2*h 2 -> 3*h 2', (a, b) => op.concat([a, b], 0));
test(infers, 'Slice', '2 9 -> 2 4', (x) => op.slice(x, 1, 3, 7));
test(infers, 'Slice from the end', '2 9 -> 2 6', (x) => op.slice(x, 1, 2, -1));
test(infers, 'Slice with a step', '2 9 -> 2 3', (x) => op.slice(x, 1, 1, 9, 3));
test(infers, 'Slice backwards', '2 9 -> 2 9', (x) => op.slice(x, 1, 8, -10, -1));
test(infers, 'Slice of a symbolic size', 'n 4*h -> n 4*h-1', (x) => op.slice(x, 1, 1));
test(infers, 'Pad', 'n 3 8*h w -> n 3 8*h+1 w+3', (x) => op.pad(x, [0, 0, 0, 1], [0, 0, 1, 2]));
test(infers, 'SpaceToDepth', 'n 3 4*h 4*w -> n 48 h w', (x) => op.spaceToDepth(x, 4));
test(infers, 'DepthToSpace', 'n 48 h w -> n 3 4*h 4*w', (x) => op.depthToSpace(x, 4));
test(infers, 'Resize by a factor', 'n 3 2*h w -> n 3 4*h 2*w', (x) => op.upsampleNearest(x, 2));
test(infers, 'Resize to a size', '2 3 4 5 -> 2 3 7 9', (x) => op.resizeNearest(x, 7, 9));
test(infers, 'ReduceMean', 'n 3 h w -> n 3 1 1', (x) => op.mean(x, [2, 3]));
test(infers, 'ReduceSum of last axes', 'n 3 h w -> n 3', (x) => op.sum(x, [-1, -2], false));
test(infers, 'MatMul', 'n h 6, 6 4 -> n h 4', (a, b) => op.matMul(a, b));
test(infers, 'MatMul of batches', 'n 2 h 6, n 2 6 w -> n 2 h w', (a, b) => op.matMul(a, b));
test(infers, 'Conv', 'n 3 8*h 8*w -> n 5 4*h 4*w', (x) =>
  op.conv2d(x, weight(x, 5, 3, 3, 3), undefined, { strides: two, pads: [1, 1, 1, 1] }),
);
test(infers, 'Conv of odd sizes', '2 3 9 11 -> 2 5 5 6', (x) =>
  op.conv2d(x, weight(x, 5, 3, 3, 3), undefined, { strides: two, pads: [1, 1, 1, 1] }),
);
test(infers, 'Conv with dilation and groups', '2 4 9 9 -> 2 6 5 5', (x) =>
  op.conv2d(x, weight(x, 6, 2, 3, 3), undefined, { dilations: two, group: 2 }),
);
test(infers, 'ConvTranspose', 'n 5 h w -> n 3 2*h 2*w', (x) =>
  op.convTranspose2d(x, weight(x, 5, 3, 3, 3), {
    strides: two,
    pads: [1, 1, 1, 1],
    outputPadding: [1, 1],
  }),
);
test(infers, 'MaxPool', 'n 3 2*h 2*w -> n 3 h w', (x) =>
  op.maxPool(x, { kernel_shape: two, strides: two, pads: [0, 0, 0, 0] }),
);
test(infers, 'AveragePool', '2 3 7 5 -> 2 3 3 2', (x) =>
  op.averagePool(x, { kernel_shape: two, strides: two, pads: [0, 0, 0, 0] }),
);
test(infers, 'Softmax', 'n 2 h w -> n 2 h w', (x) => op.softmax(x));
test(infers, 'MultiHeadAttention', 'n h 6, n 7 6, n 7 6 -> n h 6', (q, k, v) =>
  q.graph.add('MultiHeadAttention', [q, k, v], { num_heads: 2, scale: 0.5 }),
);

test('Gather takes the shape of the indices', (t) => {
  const graph = new Graph();
  const table = graph.input('table', 'float32', [100, 8]);
  const ids = graph.input('ids', 'int64', ['n', 77]);
  t.deepEqual(op.gather(table, ids).shape, ['n', 77, 8]);
});

test('Cast and Shape give other types', (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['n', 3]);
  t.is(op.cast(x, 'int64').dtype, 'int64');
  t.is(op.cast(x, 'float32'), x);
  t.deepEqual([op.shapeOf(x).dtype, op.shapeOf(x).shape], ['int64', [2]]);
});

const refuses = test.macro({
  title: (_, name: string) => `refuses ${name}, naming the node and its inputs`,
  exec(t, _: string, shape: string, build: Build, message: RegExp) {
    const graph = new Graph();
    const values = shape
      .split(', ')
      .map((text, i) => graph.input(`x${i}`, 'float32', text.split(' ').map(dim)));
    const error = t.throws(() => build(...values), { instanceOf: ShapeError });
    t.regex(error.message, message);
    t.false(error.message.includes('\n'));
  },
});

test(
  refuses,
  'sizes that do not broadcast',
  '2 3, 4',
  (a, b) => op.add(a, b),
  /^Add: cannot broadcast \[2, 3\] with \[4\]\. Inputs: \[2, 3\], \[4\]\.$/,
);
test(
  refuses,
  'a symbolic size with another one',
  'n 3, h 3',
  (a, b) => op.add(a, b),
  /^Add: cannot broadcast \[n, 3\] with \[h, 3\]/,
);
test(
  refuses,
  'a symbolic size with a number',
  'n 3, 2 3',
  (a, b) => op.mul(a, b),
  /^Mul: cannot broadcast/,
);
test(
  refuses,
  'a matrix product of unequal inner sizes',
  '2 3, 4 5',
  (a, b) => op.matMul(a, b),
  /^MatMul: the inner sizes differ\. Inputs: \[2, 3\], \[4, 5\]\.$/,
);
test(
  refuses,
  'a convolution of other channels',
  '1 4 8 8',
  (x) => op.conv2d(x, weight(x, 5, 3, 3, 3)),
  /^Conv: expected 3 input channels\./,
);
test(
  refuses,
  'a window larger than the picture',
  '1 3 2 2',
  (x) => op.conv2d(x, weight(x, 5, 3, 3, 3)),
  /^Conv: the window does not fit\./,
);
test(
  refuses,
  'a reshape to another number of elements',
  '2 6',
  (x) => op.reshape(x, [2, 5]),
  /^Reshape: cannot reshape to \[2, 5\]\. Inputs: \[2, 6\]/,
);
test(
  refuses,
  'joining unequal sizes',
  '2 3, 3 4',
  (a, b) => op.concat([a, b], 1),
  /^Concat: sizes off axis 1 differ\./,
);
test(
  refuses,
  'a permutation of another rank',
  '2 3 4',
  (x) => op.transpose(x, [1, 0]),
  /^Transpose: expected rank 2\./,
);
test(
  refuses,
  'halving a size that may be odd',
  'n 3 h w',
  (x) => op.conv2d(x, weight(x, 5, 3, 3, 3), undefined, { strides: two, pads: [1, 1, 1, 1] }),
  /^Conv: graph: cannot compute \(h \* 1 \+ 1\) \/ 2 for every size/,
);
