/** @file Sessions: what onnxruntime refuses comes as one line, and what can be asked of a run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph } from '../../src/graph/graph.ts';
import { createSession } from '../../src/runtime/session.ts';
import { DeviceError } from '../../src/tensor/errors.ts';
import { float32, tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { graphSession } from '../helpers/run-graph.ts';

/** y = 2x and z = x + 1 of `[n, 2]`. */
function small(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['n', 2]);
  graph.output('y', op.mul(x, 2));
  graph.output('z', op.add(x, 1));
  return graph;
}

const oneLine = (start: RegExp) => (error: unknown) =>
  error instanceof DeviceError && start.test(error.message) && !error.message.includes('\n');

test('bytes that are no model are a DeviceError in one line', async (t) => {
  const bytes = new TextEncoder().encode('this is no model');
  const error = await t.throwsAsync(createSession(bytes), { instanceOf: DeviceError });
  t.true(oneLine(/^cpu: onnxruntime refused the model: ./)(error));
  t.truthy(error.cause);
});

test('a file that is no model, and one that is missing', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'text.onnx'), 'this is no model');
  for (const name of ['text.onnx', 'missing.onnx']) {
    const error = await t.throwsAsync(createSession(join(folder, name)));
    t.true(oneLine(/^cpu: onnxruntime refused the model: ./)(error), String(error));
  }
});

test('a model whose weights are missing', async (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1]);
  const sources = [{ key: 'w', shape: [1] }];
  graph.output('y', op.add(x, graph.weight({ name: 'w', shape: [1], sources })));
  const { encodeModel } = await import('../../src/onnx/model.ts');
  const file = join(temporaryFolder(t), 'model.onnx');
  writeFileSync(file, encodeModel(emit(graph, { file: 'weights.bin' }).model));
  const error = await t.throwsAsync(createSession(file));
  t.true(oneLine(/^cpu: onnxruntime refused the model: .*weights\.bin/)(error), String(error));
});

test('a device that does not exist', async (t) => {
  const bytes = await selfContained(emit(small(), { file: 'w' }), () => {
    throw new Error('it has no weights');
  });
  const error = await t.throwsAsync(createSession(bytes, { device: 'abacus' }));
  t.true(oneLine(/^abacus: onnxruntime refused the model: ./)(error), String(error));
});

test('inputs of a wrong shape or type, or none, fail the run and not the session', async (t) => {
  const session = await graphSession(small());
  const wrong = [
    { x: float32([2, 3], new Float32Array(6)) },
    { x: tensor('int64', [1, 2], new BigInt64Array(2)) },
    {},
  ];
  for (const feeds of wrong) {
    const error = await t.throwsAsync(session.run(feeds));
    t.true(oneLine(/^cpu: onnxruntime failed: ./)(error), String(error));
  }
  const { y } = await session.run({ x: float32([1, 2], [1, 2]) });
  t.deepEqual(y, float32([1, 2], [2, 4]));
  await session.release();
});

test('gives the outputs that are asked for, all of them by default', async (t) => {
  const session = await graphSession(small());
  const x = float32([2, 2], [1, 2, 3, 4]);
  t.deepEqual(Object.keys(await session.run({ x })).sort(), ['y', 'z']);
  t.deepEqual(await session.run({ x }, ['z']), { z: float32([2, 2], [2, 3, 4, 5]) });
  await session.release();
});

test('takes and gives tensors of other types', async (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'int64', [2]);
  graph.output('real', op.cast(x, 'float32'));
  graph.output('large', op.greater(op.cast(x, 'float32'), 2));
  graph.output('half', op.cast(op.cast(x, 'float32'), 'float16'));
  const session = await graphSession(graph);
  const results = await session.run({ x: tensor('int64', [2], BigInt64Array.of(1n, 3n)) });
  t.deepEqual([...results['real']!.data], [1, 3]);
  t.deepEqual([results['large']!.dtype, [...results['large']!.data]], ['bool', [0, 1]]);
  t.is(results['half']!.dtype, 'float16');
  await session.release();
});
