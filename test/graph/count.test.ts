/** @file Multiply-adds, against counts by hand. */
import test from 'ava';
import { multiplyAdds } from '../../src/graph/count.ts';
import * as op from '../../src/graph/functions.ts';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { attention } from '../../src/nn/attention.ts';
import { conv } from '../../src/nn/conv.ts';
import { linear } from '../../src/nn/linear.ts';

for (const device of ['cpu', 'webgpu', 'cuda'] as const) {
  test(`convolutions, products and attention count alike on ${device}`, (t) => {
    const graph = new Graph({ device });
    const s = scope(graph, 's');
    const x = graph.input('x', 'float32', [2, 3, 8, 6]);
    graph.output('y', conv(s.at('a'), x, 4, { kernel: 3, stride: 2 }));
    const tokens = graph.input('t', 'float32', [2, 10, 12]);
    const keys = graph.input('k', 'float32', [2, 7, 12]);
    graph.output('z', attention(linear(s.at('b'), tokens, 12), keys, keys, 3));
    const convolution = 2 * 4 * (4 * 3) * (3 * 9);
    const product = 2 * 10 * 12 * 12;
    const attended = 2 * (2 * 10 * 7 * 12);
    t.is(multiplyAdds(graph), convolution + product + attended);
  });
}

test('what no output needs does not count, nor does elementwise work', (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [4, 4]);
  op.matMul(x, x);
  graph.output('y', op.add(op.matMul(x, x), 1));
  t.is(multiplyAdds(graph), 64);
});
