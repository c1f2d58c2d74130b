/** @file Recomputed segments: the same gradients, from fewer values kept. */
import test from 'ava';
import { gradients } from '../../src/autodiff/backward.ts';
import { planSegments } from '../../src/autodiff/segments.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { runGraph } from '../helpers/run-graph.ts';

const [blocks, width, rows] = [6, 8, 16];

function noise(shape: readonly number[], seed: number): Tensor<'float32'> {
  const next = random(seed);
  const size = shape.reduce((product, n) => product * n, 1);
  return float32(
    shape,
    Array.from({ length: size }, () => next() - 0.5),
  );
}

/** A residual network of several blocks, with a long skip from the first to the last. */
function network(segmentBytes?: number): Graph {
  const graph = new Graph({ training: true }, (name) => name.startsWith('w'));
  const x = graph.input('x', 'float32', [rows, width]);
  const wrt: Value[] = [x];
  let h: Value = op.tanh(x);
  const first = h;
  for (let i = 0; i < blocks; i++) {
    const w = graph.input(`w${i}`, 'float32', [width, width]);
    wrt.push(w);
    h = op.add(h, op.softmax(op.quickGelu(op.matMul(h, w), 1)));
  }
  const loss = op.meanAll(op.square(op.mul(h, first)));
  graph.output('loss', loss);
  const options = segmentBytes === undefined ? {} : { segmentBytes };
  gradients(loss, wrt, options).forEach((g, i) => graph.output(`d${i}`, g));
  return graph;
}

test('recomputing changes no gradient by a single bit', async (t) => {
  const feeds: Record<string, Tensor> = { x: noise([rows, width], 1) };
  for (let i = 0; i < blocks; i++) feeds[`w${i}`] = noise([width, width], i + 2);
  const kept = await runGraph(network(), feeds);
  const recomputed = await runGraph(network(3 * rows * width * 4), feeds);
  for (const [name, { data }] of Object.entries(kept)) {
    t.deepEqual([...(recomputed[name]!.data as Float32Array)], [...(data as Float32Array)], name);
  }
});

test('every segment but the last is computed twice, and only what is needed of it', (t) => {
  const products = (graph: Graph): number =>
    graph.nodes.filter((node) => node.op === 'MatMul' && node.name.startsWith('again')).length;
  t.is(products(network()), 0);
  const again = products(network(3 * rows * width * 4));
  t.true(again >= blocks - 2 && again <= blocks, `${again} products again`);
});

test('segments are cut where the least crosses, and hold about what they may', (t) => {
  const graph = network();
  const loss = graph.nodes.findIndex((node) => node.op === 'ReduceMean');
  const path = graph.nodes.slice(0, loss + 1);
  const bytes = rows * width * 4;
  const segments = planSegments(path, { bytes: 4 * bytes, keepProducts: false });
  t.deepEqual(
    segments.flatMap(({ nodes }) => nodes),
    path,
  );
  // Cut between blocks only the stream crosses, and from the first segment the long skip.
  for (const [i, { kept }] of segments.slice(0, -1).entries())
    t.true(kept.size <= (i === 0 ? 2 : 1));
  for (const { nodes } of segments) t.true(nodes.length <= 5);
});

test('segments of no size are refused', (t) => {
  for (const size of [0, -1, Number.NaN]) t.throws(() => network(size), { instanceOf: UsageError });
});
