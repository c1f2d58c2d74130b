/** @file The forms that layers take on WebGPU give what they give elsewhere; run on the processor. */
import test from 'ava';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { attention } from '../../src/nn/attention.ts';
import { groupNorm } from '../../src/nn/norm.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';
import { graphSession, runGraph } from '../helpers/run-graph.ts';
import { webgpuTest } from '../helpers/vulkan.ts';

function waves(shape: readonly number[], offset = 0): Tensor<'float32'> {
  const count = elementCount(shape);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => offset + Math.sin(i * 0.37 + (i % 11) * (i % 5))),
  );
}

function normGraph(device: 'cpu' | 'webgpu'): Graph {
  const graph = new Graph({ device });
  const x = graph.input('x', 'float32', [2, 8, 9, 7]);
  graph.output('y', groupNorm(scope(graph, 'n'), x, { groups: 4, epsilon: 1e-5 }));
  return graph;
}

const normWeights = new Map([
  ['n.weight', waves([8], 1)],
  ['n.bias', waves([8])],
]);

/** Features whose mean is large beside their spread, as after a first convolution. */
const features = { x: waves([2, 8, 9, 7], 30) };

test('group norm from deviations', async (t) => {
  const [want, got] = [
    await runGraph(normGraph('cpu'), features, normWeights),
    await runGraph(normGraph('webgpu'), features, normWeights),
  ];
  t.false(normGraph('webgpu').nodes.some(({ op }) => op === 'InstanceNormalization'));
  t.true(
    difference(got['y']!.data as Float32Array, want['y']!.data as Float32Array).largest < 1e-4,
  );
});

function attentionGraph(device: 'cpu' | 'webgpu', length: number): Graph {
  const graph = new Graph({ device });
  const [q, k, v] = ['q', 'k', 'v'].map((name) => graph.input(name, 'float32', [1, length, 4]));
  graph.output('y', attention(q!, k!, v!, 1));
  return graph;
}

test('attention whose scores exceed a binding is cut into rows', async (t) => {
  const length = 6000; // 144 MB of scores
  const softmaxes = attentionGraph('webgpu', length).nodes.filter(({ op }) => op === 'Softmax');
  t.is(softmaxes.length, 2);
  for (const { output } of softmaxes) t.true(elementCount(output.shape as number[]) <= 2 ** 25);
  const feeds = { q: waves([1, length, 4]), k: waves([1, length, 4]), v: waves([1, length, 4], 2) };
  const [want, got] = [
    await runGraph(attentionGraph('cpu', length), feeds),
    await runGraph(attentionGraph('webgpu', length), feeds),
  ];
  t.true(
    difference(got['y']!.data as Float32Array, want['y']!.data as Float32Array).largest < 1e-5,
  );
});

test('small attention stays whole', (t) => {
  const { nodes } = attentionGraph('webgpu', 1000);
  t.is(nodes.filter(({ op }) => op === 'Softmax').length, 1);
  t.false(
    nodes.some(({ op }) => op === 'MultiHeadAttention'),
    'which is wrong there',
  );
});

webgpuTest('group norm of features with a large mean is right on WebGPU itself', async (t) => {
  const session = await graphSession(normGraph('webgpu'), normWeights, { device: 'webgpu' });
  const [want, got] = [
    await runGraph(normGraph('cpu'), features, normWeights),
    await session.run(features),
  ];
  await session.release();
  t.true(
    difference(got['y']!.data as Float32Array, want['y']!.data as Float32Array).largest < 2e-4,
  );
});
