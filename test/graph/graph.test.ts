/** @file The graph under construction: what is shared, what is refused, and what names are given. */
import test from 'ava';
import * as op from '../../src/graph/functions.ts';
import { Graph } from '../../src/graph/graph.ts';
import { scope, type Adapters } from '../../src/graph/scope.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { float32 } from '../../src/tensor/tensor.ts';

test('an input declared twice is one', (t) => {
  const graph = new Graph();
  t.is(graph.input('x', 'float32', [1, 'h']), graph.input('x', 'float32', [1, 'h']));
  t.is(graph.inputs.length, 1);
  const error = t.throws(() => graph.input('x', 'float32', [2, 'h']), { instanceOf: ShapeError });
  t.is(error.message, 'graph: "x" is declared as [1, h] and again as [2, h].');
});

test('a weight asked for twice is shared', (t) => {
  const s = scope(new Graph(), 'unet');
  t.is(s.weight('conv_in.weight', [2, 3]), s.weight('conv_in.weight', [2, 3]));
  t.throws(() => s.weight('conv_in.weight', [3, 2]), {
    instanceOf: ShapeError,
    message: /"unet\.conv_in\.weight" is declared as \[2, 3\] and again as \[3, 2\]/,
  });
});

test('small constants are shared by value, large ones are not compared', (t) => {
  const graph = new Graph();
  t.is(graph.constant(float32([2], [1, 2])), graph.constant(float32([2], [1, 2])));
  t.not(graph.constant(float32([2], [1, 2])), graph.constant(float32([1, 2], [1, 2])));
  t.not(graph.constant(float32([2], [1, 2])), graph.constant(float32([2], [1, 3])));
  const large = float32([17], new Float32Array(17));
  t.not(graph.constant(large), graph.constant(large));
});

test('names are unique, even where one is what another would have become', (t) => {
  const graph = new Graph();
  const names = ['Add', 'Add', 'Add_2', 'Add', 'x'].map((name) => graph.unique(name));
  t.is(new Set(names).size, names.length);
  t.deepEqual(names.slice(0, 2), ['Add', 'Add_2']);
});

test('trainable weights become inputs', (t) => {
  const graph = new Graph({ training: true }, (key) => key.endsWith('.bias'));
  const s = scope(graph, 'vae').at('conv_in');
  s.weight('weight', [4]);
  s.weight('bias', [4]);
  t.deepEqual([...graph.weights.keys()], ['vae.conv_in.weight']);
  t.deepEqual(
    graph.inputs.map(({ name }) => name),
    ['vae.conv_in.bias'],
  );
});

test('scopes spell the keys of a checkpoint', (t) => {
  const s = scope(new Graph(), 'unet');
  const inner = s.at('down_blocks', 0, 'resnets').at(1, 'conv1');
  t.is(inner.path, 'unet.down_blocks.0.resnets.1.conv1');
  t.is(inner.key('weight'), 'unet.down_blocks.0.resnets.1.conv1.weight');
  t.is(inner.weight('weight', [1]).name, 'unet.down_blocks.0.resnets.1.conv1.weight');
  t.is(scope(new Graph(), '').at('conv_in').key('bias'), 'conv_in.bias');
});

test('scopes pass adapters on to their children', (t) => {
  const adapter = { name: 'default', rank: 4, scale: 2 };
  const adapters: Adapters = { on: (path) => (path === 'unet.conv_in' ? [adapter] : []) };
  const s = scope(new Graph(), 'unet', adapters);
  t.deepEqual(s.at('conv_in').adapters.on(s.at('conv_in').path), [adapter]);
  t.deepEqual(s.at('conv_out').adapters.on(s.at('conv_out').path), []);
  t.deepEqual(scope(new Graph(), 'unet').adapters.on('unet.conv_in'), []);
});

test('a module records what it computes', (t) => {
  const graph = new Graph();
  const y = op.exp(graph.input('x', 'float32', [2]));
  t.is(scope(graph, 'unet').at('mid_block').out(y), y);
  t.is(graph.modules.get('unet.mid_block'), y);
});

test('nodes are named by their module', (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 3]);
  t.is(graph.add('Softmax', [x], { axis: -1 }, 'unet.attn').name, 'unet.attn/Softmax');
});
