/** @file The engine: accumulation, what is left out, and what is refused. */
import test from 'ava';
import { dependencies, gradients } from '../../src/autodiff/backward.ts';
import { after, stopGradient } from '../../src/autodiff/order.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { ShapeError, UsageError } from '../../src/tensor/errors.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run-graph.ts';

function inputs(...shapes: (readonly number[])[]): [Graph, ...Value[]] {
  const graph = new Graph({ training: true });
  return [graph, ...shapes.map((shape, i) => graph.input(`x${i}`, 'float32', shape))];
}

const total = (x: Value): Value =>
  op.sum(
    x,
    x.shape.map((_, axis) => axis),
    false,
  );

test('a value used in several places collects from all of them', async (t) => {
  const [graph, x] = inputs([2]);
  const shared = op.exp(x!);
  const loss = total(op.add(op.mul(shared, shared), op.mul(shared, x!))); // e^2x + x·e^x
  graph.output('dx', gradients(loss, [x!])[0]!);
  const { dx } = await runGraph(graph, { x0: float32([2], [0, 0.5]) });
  const expected = [0, 0.5].map((v) => 2 * Math.exp(2 * v) + (1 + v) * Math.exp(v));
  expected.forEach((e, i) => t.true(Math.abs((dx!.data[i] as number) - e) < 1e-5));
});

test('the gradient of a value in between', async (t) => {
  const [graph, x] = inputs([2]);
  const y = op.mul(x!, 3);
  const loss = total(op.square(y));
  const [dx, dy] = gradients(loss, [x!, y]);
  graph.output('dx', dx!);
  graph.output('dy', dy!);
  const results = await runGraph(graph, { x0: float32([2], [1, -2]) });
  t.deepEqual([...(results['dy']!.data as Float32Array)], [6, -12]);
  t.deepEqual([...(results['dx']!.data as Float32Array)], [18, -36]);
});

test('gradients can be differentiated again', async (t) => {
  const [graph, x] = inputs([1]);
  const [first] = gradients(total(op.pow(x!, 4)), [x!]);
  graph.output('second', gradients(total(first!), [x!])[0]!);
  const { second } = await runGraph(graph, { x0: float32([1], [2]) });
  t.true(Math.abs((second!.data[0] as number) - 12 * 4) < 1e-3);
});

test('no gradient is built where none is asked', (t) => {
  const count = (wrt: readonly number[]): Record<string, number> => {
    const [graph, ...x] = inputs([1, 2, 5, 5], [3, 2, 3, 3], [3]);
    const loss = total(op.square(op.conv2d(x[0]!, x[1]!, x[2])));
    const forward = graph.nodes.length;
    gradients(
      loss,
      wrt.map((i) => x[i]!),
    );
    const made = graph.nodes.slice(forward).map(({ op: name }) => name);
    const has = (name: string): number => made.filter((other) => other === name).length;
    return { Conv: has('Conv'), MatMul: has('MatMul'), ReduceSum: has('ReduceSum') };
  };
  t.deepEqual(count([2]), { Conv: 0, MatMul: 0, ReduceSum: 1 });
  t.deepEqual(count([0]), { Conv: 1, MatMul: 0, ReduceSum: 0 });
  t.deepEqual(count([1]), { Conv: 1, MatMul: 1, ReduceSum: 0 }); // shifted copies, their product
});

test('nothing before what is asked for is differentiated', (t) => {
  const [graph, x, w] = inputs([2, 3], [3, 3]);
  const early = op.tanh(op.exp(x!));
  const loss = total(op.matMul(early, w!));
  const forward = graph.nodes.length;
  gradients(loss, [w!]);
  const made = graph.nodes.slice(forward).map(({ op: name }) => name);
  t.deepEqual(made, ['Reshape', 'Expand', 'Transpose', 'MatMul']);
});

test('stopGradient passes a value and no gradient', async (t) => {
  const [graph, x] = inputs([1]);
  const loss = total(op.mul(x!, stopGradient(op.square(x!))));
  graph.output('loss', loss);
  graph.output('dx', gradients(loss, [x!])[0]!);
  const { loss: value, dx } = await runGraph(graph, { x0: float32([1], [3]) });
  t.is(value!.data[0], 27);
  t.is(dx!.data[0], 9);
});

test('after changes neither values nor gradients, not even beside NaN', async (t) => {
  const [graph, x, y] = inputs([2], [3]);
  const late = after(x!, [op.log(y!), y!]);
  graph.output('late', late);
  graph.output('dx', gradients(total(op.square(late)), [x!])[0]!);
  const feeds = { x0: float32([2], [1.5, -2]), x1: float32([3], [-1, 0, 2]) };
  const results = await runGraph(graph, feeds);
  t.deepEqual([...(results['late']!.data as Float32Array)], [1.5, -2]);
  t.deepEqual([...(results['dx']!.data as Float32Array)], [3, -4]);
});

test('a loss that is no single number needs a seed', (t) => {
  const [, x, seed] = inputs([2, 3], [2, 2]);
  t.throws(() => gradients(op.exp(x!), [x!]), {
    instanceOf: ShapeError,
    message: /expected a loss of rank 0, got \[2, 3\]/,
  });
  t.throws(() => gradients(op.exp(x!), [x!], { seed: seed! }), { instanceOf: ShapeError });
});

test('empty tensors and unknown sizes are refused by name', (t) => {
  const [, empty] = inputs([2, 0]);
  t.throws(() => gradients(total(op.exp(empty!)), [empty!]), {
    instanceOf: ShapeError,
    message: /no empty tensor, got "x0" \[2, 0\]/,
  });
  const symbolic = new Graph().input('x', 'float32', ['n', 2]);
  t.throws(() => gradients(total(op.exp(symbolic)), [symbolic]), {
    instanceOf: ShapeError,
    message: /expected known sizes, got "x" \[n, 2\]/,
  });
});

test('a value that the loss does not depend on is refused by name', (t) => {
  const [, x, other] = inputs([2], [2]);
  const loss = total(op.mul(x!, op.sign(other!)));
  t.throws(() => gradients(loss, [x!, other!]), {
    instanceOf: UsageError,
    message: /depend on "x1"/,
  });
});

test('finds what a loss depends on', (t) => {
  const [, x, y, other] = inputs([2], [2], [2]);
  const loss = total(op.mul(x!, op.exp(y!)));
  t.deepEqual(dependencies(loss, [other!, y!, x!]), [y!, x!]);
  t.deepEqual(dependencies(loss, [loss]), [loss]);
});
