/** @file Where a function has no gradient, the choice that PyTorch makes. */
import type { Macro } from 'ava';
import test from 'ava';
import { gradients } from '../../src/autodiff/backward.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run-graph.ts';

type Build = (x: Value) => Value;
type Arguments = [
  build: Build,
  x: readonly number[],
  expected: readonly number[],
  shape?: readonly number[],
];

/** The gradient of the sum of what `build` makes of `x`. */
const hasGradient: Macro<Arguments> = test.macro(async (t, build, x, expected, shape) => {
  const sizes = shape ?? [x.length];
  const graph = new Graph({ training: true });
  const input = graph.input('x', 'float32', sizes);
  const y = build(input);
  const axes = y.shape.map((_, axis) => axis);
  graph.output('dx', gradients(op.sum(y, axes, false), [input])[0]!);
  const { dx } = await runGraph(graph, { x: float32(sizes, x) });
  t.deepEqual([...(dx!.data as Float32Array)], [...expected]);
});

test('relu at 0 passes nothing', hasGradient, op.relu, [-1, 0, 2], [0, 0, 1]);
test(
  'leaky relu at 0 is taken from below',
  hasGradient,
  (x) => op.leakyRelu(x, 0.5),
  [0, 1],
  [0.5, 1],
);
test('the absolute value is flat at 0', hasGradient, op.abs, [-2, 0, 2], [-1, 0, 1]);
test(
  'clamp passes at its bounds',
  hasGradient,
  (x) => op.clamp(x, -1, 1),
  [-2, -1, 1, 2],
  [0, 1, 1, 0],
);
test(
  'a power is flat in its exponent at base 0',
  hasGradient,
  (b) => op.pow(op.sub(b, b), b),
  [1, 2],
  [0, 0],
);
test(
  'the first maximum of a window takes all',
  hasGradient,
  (x) => op.maxPool(x, { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }),
  [3, 3, 5, 4, 3, 1, 5, 5],
  [1, 0, 1, 0, 0, 0, 0, 0],
  [1, 1, 2, 4],
);
test(
  'equal elements share the gradient of a maximum over axes',
  hasGradient,
  (x) => op.max(x, [0]),
  [1, 4, 4, 2],
  [0, 0.5, 0.5, 0],
);
