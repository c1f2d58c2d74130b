/** @file LPIPS without golden vectors: names of weights, and pictures without features. */
import test from 'ava';
import { gradients } from '../../src/autodiff/backward.ts';
import { meanAll } from '../../src/graph/functions.ts';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { lpips, lpipsKey, lpipsWidths } from '../../src/networks/vgg-lpips.ts';
import { WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { runGraph } from '../helpers/run-graph.ts';

test("reads torchvision's and the lpips package's names", (t) => {
  t.is(lpipsKey('features.28.bias'), 'trunk.28.bias');
  t.is(lpipsKey('net.slice3.14.weight'), 'trunk.14.weight');
  t.is(lpipsKey('module.features.0.weight'), 'trunk.0.weight');
  t.is(lpipsKey('lin4.model.1.weight'), 'lin.4.weight');
  t.is(lpipsKey('lins.2.model.1.weight'), 'lin.2.weight');
  t.is(lpipsKey('classifier.6.weight'), undefined);
  t.is(lpipsKey('scaling_layer.shift'), undefined);
});

test('names the weight that is missing', (t) => {
  t.throws(() => lpipsWidths(() => undefined), {
    instanceOf: WeightError,
    message: /expected "features\.0\.bias", a vector, got none/,
  });
});

const widths = [2, 3, 2, 2, 2] as const;

/** Weights of a network of a few channels; with a bias of -9 no feature survives its ReLU. */
function thinWeights(graph: Graph, bias: number): Map<string, Tensor<'float32'>> {
  const next = random(7);
  return new Map(
    [...graph.weights].map(([name, { shape }]) => {
      const sizes = shape as number[];
      const count = sizes.reduce((product, size) => product * size, 1);
      const draw = (): number =>
        sizes.length === 1 ? bias : name.startsWith('lin') ? 1 : next() - 0.4;
      return [name, float32(sizes, Array.from({ length: count }, draw))];
    }),
  );
}

async function distanceAndGradient(bias: number, same: boolean): Promise<[number, Float32Array]> {
  const graph = new Graph({ training: true });
  const shape = [1, 3, 17, 16];
  const [a, b] = [graph.input('a', 'float32', shape), graph.input('b', 'float32', shape)];
  const loss = meanAll(lpips(scope(graph, ''), a, b, widths).distance);
  const weights = thinWeights(graph, bias);
  graph.output('loss', loss);
  graph.output('da', gradients(loss, [a])[0]!);
  const picture = (seed: number): Tensor<'float32'> => {
    const next = random(seed);
    return float32(
      shape,
      Array.from({ length: 3 * 17 * 16 }, () => 2 * next() - 1),
    );
  };
  const feeds = { a: picture(1), b: picture(same ? 1 : 2) };
  const { loss: value, da } = await runGraph(graph, feeds, weights);
  return [value!.data[0] as number, da!.data as Float32Array];
}

test('pictures differ, and a picture from itself does not', async (t) => {
  const [distance, gradient] = await distanceAndGradient(0.1, false);
  t.true(distance > 0.01);
  t.true(gradient.some((value) => value !== 0));
  const [none] = await distanceAndGradient(0.1, true);
  t.is(none, 0);
});

test('pixels without any feature have a finite gradient', async (t) => {
  const [distance, gradient] = await distanceAndGradient(-9, false);
  t.is(distance, 0);
  t.true(gradient.every((value) => value === 0));
});
