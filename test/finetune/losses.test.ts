/** @file Losses and distillation, by numbers worked out by hand. */
import type { Macro } from 'ava';
import test from 'ava';
import { gradients } from '../../src/autodiff/backward.ts';
import { discriminatorHinge, generatorHinge, mse } from '../../src/finetune/losses.ts';
import { cleanLatents, diffuse, type Diffused, guided, vsd } from '../../src/finetune/vsd.ts';
import { add, mul } from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { runGraph } from '../helpers/run-graph.ts';

/** What `build` makes of two vectors. */
const gives: Macro<[(a: Value, b: Value) => Value, readonly number[], readonly number[], number]> =
  test.macro(async (t, build, a, b, expected) => {
    const graph = new Graph({ training: true });
    const [x, y] = ['a', 'b'].map((name) => graph.input(name, 'float32', [2])) as [Value, Value];
    graph.output('loss', build(x, y));
    const { loss } = await runGraph(graph, { a: float32([2], a), b: float32([2], b) });
    t.true(Math.abs((loss!.data[0] as number) - expected) < 1e-6);
  });

test('mean squared error', gives, mse, [1, 2], [3, 2], 2);
test('a generator wants high scores', gives, (a) => generatorHinge(a), [1, 4], [0, 0], -2.5);
test(
  'a discriminator is content beyond its margin',
  gives,
  discriminatorHinge,
  [2, 3],
  [-1, -5],
  0,
);
test('a discriminator pays within it', gives, discriminatorHinge, [0, 1], [-0.5, 1], 0.5 + 1.25);

const shape = [2, 1, 1, 2];

interface Setting {
  readonly graph: Graph;
  readonly z: Value;
  readonly at: Diffused;
  readonly feeds: Record<string, Tensor>;
}

function setting(): Setting {
  const graph = new Graph({ training: true });
  const [z, noise] = ['z', 'noise'].map((name) => graph.input(name, 'float32', shape)) as [
    Value,
    Value,
  ];
  const [signal, sigma] = ['signal', 'sigma'].map((name) =>
    graph.input(name, 'float32', [2, 1, 1, 1]),
  ) as [Value, Value];
  const sinusoids = graph.input('sinusoids', 'float32', [2, 2]);
  return {
    graph,
    z,
    at: { sinusoids, signal, sigma, noise },
    feeds: {
      z: float32(shape, [1, 2, -1, 0.5]),
      noise: float32(shape, [0.5, -1, 2, 0]),
      signal: float32([2, 1, 1, 1], [0.8, 0.6]),
      sigma: float32([2, 1, 1, 1], [0.6, 0.8]),
    },
  };
}

test('a right prediction of the noise gives the clean latents back', async (t) => {
  const { graph, z, at, feeds } = setting();
  const zt = diffuse(z, at);
  graph.output('zt', zt);
  graph.output('clean', cleanLatents(zt, at.noise, at));
  const results = await runGraph(graph, feeds);
  const near = (name: string, expected: readonly number[]): void =>
    expected.forEach((e, i) => t.true(Math.abs((results[name]!.data[i] as number) - e) < 1e-6));
  near('zt', [0.8 + 0.3, 1.6 - 0.6, -0.6 + 1.6, 0.3]);
  near('clean', [1, 2, -1, 0.5]);
});

test('guidance goes beyond the prompt, away from the negative one', async (t) => {
  const graph = new Graph({ training: true });
  const [zt, text, negative] = ['zt', 'text', 'negative'].map((name) =>
    graph.input(name, 'float32', [2, 1]),
  ) as [Value, Value, Value];
  const calls: (readonly unknown[])[] = [];
  const predict = (z: Value, _: Value, c: Value | undefined): Value => {
    calls.push(z.shape);
    return c ? add(z, c) : z;
  };
  graph.output('both', guided(predict, zt, zt, text, negative, 3));
  graph.output('plain', guided(predict, zt, zt, text, undefined, 3));
  graph.output('one', guided(predict, zt, zt, text, negative, 1));
  t.deepEqual(calls, [
    [4, 1],
    [2, 1],
    [2, 1],
  ]);
  const feeds = {
    zt: float32([2, 1], [1, 2]),
    text: float32([2, 1], [10, 20]),
    negative: float32([2, 1], [1, 2]),
  };
  const results = await runGraph(graph, feeds);
  t.deepEqual([...(results['both']!.data as Float32Array)], [1 + 1 + 27, 2 + 2 + 54]);
  t.deepEqual([...(results['plain']!.data as Float32Array)], [11, 22]);
  t.deepEqual([...(results['one']!.data as Float32Array)], [11, 22]);
});

test('distillation pushes by the difference of two predictions, whose own slopes do not count', async (t) => {
  const { graph, z, at, feeds } = setting();
  const { loss, push, x0Fix, weight } = vsd(
    z,
    at,
    (zt) => mul(zt, 0.5),
    (zt) => mul(zt, 0.25),
  );
  graph.output('push', push);
  graph.output('fix', x0Fix);
  graph.output('weight', weight);
  graph.output('dz', gradients(loss, [z])[0]!);
  const results = await runGraph(graph, feeds);
  const get = (name: string): number[] => [...(results[name]!.data as Float32Array)];
  const values = [1, 2, -1, 0.5];
  const [zt, signal, sigma] = [
    [1.1, 1, 1, 0.3],
    [0.8, 0.8, 0.6, 0.6],
    [0.6, 0.6, 0.8, 0.8],
  ];
  const clean = (factor: number): number[] =>
    zt.map((v, i) => (v - sigma[i]! * factor * v) / signal[i]!);
  const [fix, update] = [clean(0.5), clean(0.25)];
  const weights = [0, 2].map(
    (i) => (Math.abs(values[i]! - fix[i]!) + Math.abs(values[i + 1]! - fix[i + 1]!)) / 2,
  );
  const pushes = fix.map((f, i) => (update[i]! - f) / weights[i >> 1]!);
  const near = (got: number[], expected: number[]): void =>
    expected.forEach((e, i) => t.true(Math.abs(got[i]! - e) < 1e-5, `${got[i]} ${e}`));
  near(get('fix'), fix);
  near(get('weight'), weights);
  near(get('push'), pushes);
  near(
    get('dz'),
    pushes.map((p) => (2 * p) / 4),
  );
});
