/** @file Graphs as ONNX models: what is written, and that onnxruntime computes it. */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { bindWeights, type ReadWeight, selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { dataTypes, decodeModel, encodeModel } from '../../src/onnx/model.ts';
import { createSession } from '../../src/runtime/session.ts';
import { FormatError, WeightError } from '../../src/tensor/errors.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { runGraph } from '../helpers/run-graph.ts';

const numbers = ({ data }: Tensor): number[] => Array.from(data, Number);

/** Weights whose n-th value is n/8: exact in float16 up to 256. */
const eighths: ReadWeight = async (key) => {
  const shape = shapes[key]!;
  return await Promise.resolve(
    float32(
      shape,
      Array.from({ length: elementCount(shape) }, (_, i) => i / 8),
    ),
  );
};

const shapes: Readonly<Record<string, readonly number[]>> = {
  'a.weight': [3, 2],
  'a.bias': [2],
  'b.weight': [64, 32],
};

/** y = x·W + b */
function affine(): Graph {
  const graph = new Graph();
  const s = scope(graph, 'a');
  const x = graph.input('x', 'float32', ['n', 3]);
  const y = op.add(op.matMul(x, s.weight('weight', [3, 2])), s.weight('bias', [2]));
  graph.output('y', y);
  return graph;
}

const x = float32([2, 3], [1, 0, 0, 1, 1, 1]);
/** Rows of W: [0, 1]/8, [2, 3]/8, [4, 5]/8; b: [0, 1]/8. */
const y = [0, 2, 6, 10].map((v) => v / 8);

test('what no output needs is left out: nodes, weights and inputs', (t) => {
  const graph = affine();
  const unused = graph.input('unused', 'float32', [4]);
  op.add(unused, 1);
  op.exp(scope(graph, 'b').weight('weight', [64, 32]));
  const { model, weights, length } = emit(graph, { file: 'w' });
  t.deepEqual(
    model.graph.node.map(({ opType }) => opType),
    ['MatMul', 'Add'],
  );
  t.deepEqual(
    model.graph.input.map(({ name }) => name),
    ['x'],
  );
  t.deepEqual(
    weights.map(({ weight }) => weight.name),
    ['a.weight', 'a.bias'],
  );
  t.is(length, 64 + 2 * 4); // the second begins at a multiple of 64
});

test('every node comes after those it takes from, also through a link', async (t) => {
  const graph = new Graph();
  const input = graph.input('x', 'float32', [2, 3]);
  const later = graph.input('later', 'float32', [2, 1]);
  graph.output('y', op.sub(input, later));
  graph.link(later, op.mean(input, [1]));
  const { model } = emit(graph, { file: 'w' });
  const known = new Set(['', 'x', ...model.graph.initializer.map(({ name }) => name)]);
  for (const { input: from, output } of model.graph.node) {
    for (const name of from) t.true(known.has(name), name);
    for (const name of output) known.add(name);
  }
  t.deepEqual(
    model.graph.input.map(({ name }) => name),
    ['x'],
  );
  const feeds = { x: float32([2, 3], [1, 2, 3, 6, 6, 9]) };
  t.deepEqual(numbers((await runGraph(graph, feeds))['y']!), [-1, 0, 1, -1, -1, 2]);
});

test('links may be chained', async (t) => {
  const graph = new Graph();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => graph.input(name, 'float32', [1])) as [
    Value,
    Value,
    Value,
  ];
  graph.output('y', op.mul(a, 2));
  graph.link(a, b);
  graph.link(b, c);
  t.deepEqual(numbers((await runGraph(graph, { c: float32([1], [3]) }))['y']!), [6]);
});

test('an output may be an input, a constant, a weight, or another one again', async (t) => {
  const graph = new Graph();
  const input = graph.input('x', 'float32', [2]);
  const sum = op.add(input, 1);
  graph.output('itself', input);
  graph.output('seven', graph.constant(float32([1], [7])));
  graph.output('weight', scope(graph, 'a').weight('bias', [2]));
  graph.output('one', sum);
  graph.output('two', sum);
  const weights = new Map([['a.bias', float32([2], [4, 5])]]);
  const results = await runGraph(graph, { x: float32([2], [1, 2]) }, weights);
  t.deepEqual(
    Object.fromEntries(Object.entries(results).map(([name, value]) => [name, numbers(value)])),
    { itself: [1, 2], seven: [7], weight: [4, 5], one: [2, 3], two: [2, 3] },
  );
});

test('an output that a padding reads too', async (t) => {
  // An Identity in between made onnxruntime 1.30 lose the value.
  const graph = new Graph();
  const input = graph.input('x', 'float32', [1, 1, 2, 2]);
  const features = op.add(input, input);
  const w = graph.constant(float32([1, 1, 3, 3], [0, 0, 0, 0, 1, 0, 0, 0, 0]));
  graph.output('features', features);
  graph.output('y', op.conv2d(op.pad(features, [0, 0, 1, 1], [0, 0, 1, 1]), w));
  const results = await runGraph(graph, { x: float32([1, 1, 2, 2], [1, 2, 3, 4]) });
  t.deepEqual(numbers(results['features']!), [2, 4, 6, 8]);
  t.deepEqual(numbers(results['y']!), [2, 4, 6, 8]);
});

test('float16 weights are matrices only, and are widened where they are used', async (t) => {
  const emitted = emit(affine(), { file: 'w', weights: 'float16' });
  t.deepEqual(
    emitted.weights.map(({ weight, dtype, length }) => [weight.name, dtype, length]),
    [
      ['a.weight', 'float16', 12],
      ['a.bias', 'float32', 8],
    ],
  );
  const casts = emitted.model.graph.node.filter(({ opType }) => opType === 'Cast');
  t.deepEqual(
    casts.map(({ input, output }) => [input, output]),
    [[['a.weight:float16'], ['a.weight']]],
  );
  const session = await createSession(await selfContained(emitted, eighths));
  t.deepEqual(numbers((await session.run({ x }))['y']!), y);
  await session.release();
});

test('a model with its weights in it is read back as it was written', async (t) => {
  const bytes = await selfContained(emit(affine(), { file: 'w' }), eighths);
  const { irVersion, opsetImport, graph } = decodeModel(bytes);
  t.is(irVersion, 10);
  t.deepEqual(
    opsetImport.map(({ domain, version }) => [domain, version]),
    [
      ['', 21],
      ['com.microsoft', 1],
    ],
  );
  t.deepEqual(
    graph.initializer.map(({ name, dataType, dims, rawData }) => [
      name,
      dataType,
      [...dims],
      rawData?.length,
    ]),
    [
      ['a.weight', dataTypes.float32, [3, 2], 24],
      ['a.bias', dataTypes.float32, [2], 8],
    ],
  );
  const [input] = graph.input;
  t.deepEqual(
    input!.type.tensorType.shape.dim.map(({ dimParam, dimValue }) => dimParam || dimValue),
    ['n', 3],
  );
});

test('bytes that are no model are refused', (t) => {
  t.throws(() => decodeModel(Uint8Array.of(255, 255, 255), 'm.onnx'), {
    instanceOf: FormatError,
    message: /^m\.onnx: expected an ONNX model/,
  });
});

for (const weights of ['float32', 'float16'] as const) {
  test(`weights in a file beside the model, as ${weights}`, async (t) => {
    const graph = affine();
    const s = scope(graph, 'b');
    const wide = graph.input('wide', 'float32', [1, 64]);
    graph.output('z', op.matMul(wide, s.weight('weight', [64, 32])));
    const emitted = emit(graph, { file: 'weights.bin', weights });
    const large = emitted.weights.find(({ weight }) => weight.name === 'b.weight')!;
    t.is(large.offset % 4096, 0, 'large weights can be mapped');

    const folder = temporaryFolder(t);
    const file = await open(join(folder, 'weights.bin'), 'w');
    await file.truncate(emitted.length);
    await bindWeights(emitted, eighths, async (offset, bytes) => {
      await file.write(bytes, 0, bytes.length, offset);
    });
    await file.close();
    const model = join(folder, 'model.onnx');
    await writeFile(model, encodeModel(emitted.model));

    for (const loading of ['fast', 'mapped'] as const) {
      const session = await createSession(model, { weights: loading });
      const feeds = { x, wide: float32([1, 64], [1, ...new Float32Array(63)]) };
      const results = await session.run(feeds);
      t.deepEqual(numbers(results['y']!), y, loading);
      t.deepEqual(
        numbers(results['z']!),
        Array.from({ length: 32 }, (_, i) => i / 8),
        loading,
      );
      await session.release();
    }
  });
}

test('a weight made of several, and one of another shape', async (t) => {
  const graph = new Graph();
  const s = scope(graph, 'a');
  const sources = [
    { key: 'a.weight', shape: [3, 2] },
    { key: 'a.bias', shape: [2] },
  ];
  const first = s.derived('first', {
    shape: [1],
    sources,
    make: ([w, b]) => float32([1], [w!.data[5]! + b!.data[1]!]),
  });
  graph.output('y', op.add(graph.input('x', 'float32', [1]), first));
  const emitted = emit(graph, { file: 'w' });
  const session = await createSession(await selfContained(emitted, eighths));
  t.deepEqual(numbers((await session.run({ x: float32([1], [1]) }))['y']!), [1 + 6 / 8]);
  await session.release();

  const wrong: ReadWeight = async (key) => ({ ...(await eighths(key)), shape: [2, 3] });
  await t.throwsAsync(selfContained(emitted, wrong), {
    instanceOf: WeightError,
    message: 'weights: expected "a.weight" to be [3, 2], got [2, 3].',
  });
});
