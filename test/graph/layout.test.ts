/** @file Pictures stay channels-last on CUDA, and what is computed stays the same. */
import test from 'ava';
import { emit } from '../../src/graph/emit.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { silu } from '../../src/nn/activation.ts';
import { conv } from '../../src/nn/conv.ts';
import { column, groupNorm } from '../../src/nn/norm.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { decomposedSession } from '../helpers/decompose.ts';
import { difference } from '../helpers/difference.ts';
import { graphSession } from '../helpers/run-graph.ts';

function waves(shape: readonly number[], phase = 1): Tensor<'float32'> {
  const count = elementCount(shape);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + phase) + 0.3 * Math.cos(i * 0.31)),
  );
}

type Build = (y: Value, z: Value, graph: Graph) => Value;

/** What comes after two convolutions of one picture: names, and whether it stays channels-last. */
const cases: readonly (readonly [string, Build])[] = [
  ['sum', (y, z) => op.add(y, z)],
  ['product with a number', (y) => op.mul(y, 3)],
  ['column of a vector', (y, _, g) => op.add(y, column(g.constant(waves([4]))))],
  ['row for each sample', (y, _, g) => op.add(y, column(g.constant(waves([2, 4]))))],
  ['activation', (y) => silu(y)],
  [
    'group norm and its activation',
    (y) => silu(groupNorm(scope(y.graph, 'n'), y, { groups: 2, epsilon: 1e-5 })),
  ],
  [
    'group norm whose result has two uses',
    (y) => {
      const n = groupNorm(scope(y.graph, 'n'), y, { groups: 2, epsilon: 1e-5 });
      return op.add(silu(n), n);
    },
  ],
  ['channels side by side', (y, z) => op.concat([y, z], 1)],
  ['slice of channels', (y) => op.slice(y, 1, 1, 3)],
  ['slice of rows', (y) => op.slice(y, 2, 1)],
  ['slice of columns', (y) => op.slice(y, 3, 0, -1)],
  ['padding right and below', (y) => op.pad(y, [0, 0, 0, 0], [0, 0, 1, 2])],
  ['enlargement', (y) => op.upsampleNearest(y, 2)],
  ['resizing', (y) => op.resizeNearest(y, 7, 11)],
];

function build(device: 'cpu' | 'cuda', next: Build): Graph {
  const graph = new Graph({ device });
  const x = graph.input('x', 'float32', [2, 3, 5, 6]);
  const s = scope(graph, 's');
  const [y, z] = ['a', 'b'].map((name) => conv(s.at(name), x, 4, { kernel: 3 })) as [Value, Value];
  graph.output('y', conv(s.at('c'), next(y, z, graph), 3, { kernel: 1 }));
  return graph;
}

for (const [name, next] of cases) {
  test(`${name}: same numbers, and no transposition but those of input and output`, async (t) => {
    const feeds = { x: waves([2, 3, 5, 6]) };
    const read = async (key: string): Promise<Tensor<'float32'>> => {
      const shape = shapes.get(key)!;
      return Promise.resolve(waves(shape, key.length + shape.length));
    };
    const [plain, cuda] = [build('cpu', next), build('cuda', next)];
    const shapes = new Map(
      [...plain.weights.values()].flatMap(({ weight }) =>
        weight!.sources.map(({ key, shape }) => [key, shape] as const),
      ),
    );
    const { model } = emit(cuda, { file: 'w' });
    const turns = model.graph.node.filter(({ opType }) => opType === 'Transpose');
    // One for each reading of the input, which onnxruntime makes one, and one for the output.
    t.true(turns.length <= 3, String(turns.length));
    const weights = new Map<string, Tensor<'float32'>>();
    for (const key of shapes.keys()) weights.set(key, await read(key));
    const [a, b] = [await graphSession(plain, weights), await decomposedSession(cuda, read)];
    const [want, got] = [(await a.run(feeds))['y']!, (await b.run(feeds))['y']!];
    t.deepEqual(got.shape, want.shape);
    t.true(difference(got.data as Float32Array, want.data as Float32Array).largest < 2e-5);
    await Promise.all([a.release(), b.release()]);
  });
}

test('what is trained stays as it is, on CUDA too', (t) => {
  const graph = new Graph({ device: 'cuda', training: true });
  const x = graph.input('x', 'float32', [1, 3, 4, 4]);
  silu(
    groupNorm(scope(graph, 'n'), conv(scope(graph, 'c'), x, 4, { kernel: 3 }), {
      groups: 2,
      epsilon: 1e-5,
    }),
  );
  const ops = new Set(graph.nodes.map((node) => node.op));
  for (const name of ['NhwcConv', 'GroupNorm', 'Transpose'] as const) t.false(ops.has(name), name);
});
