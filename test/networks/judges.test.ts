/** @file The patch discriminator, and the perceptual distance without trained weights. */
import test from 'ava';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { bandDistance } from '../../src/networks/band-statistics.ts';
import { discriminate, patchDiscriminator70 } from '../../src/networks/patch-discriminator.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { runGraph } from '../helpers/run-graph.ts';

test('the discriminator gives a score to every patch', (t) => {
  const graph = new Graph({ training: true });
  const x = graph.input('x', 'float32', [2, 3, 128, 96]);
  const scores = discriminate(scope(graph, ''), x, patchDiscriminator70);
  // PatchGAN: 30×30 scores for 256 pixels, so an eighth less two.
  t.deepEqual([...scores.shape], [2, 1, 14, 10]);
  t.true(graph.weights.has('layers.4.bias') && graph.weights.has('norms.1.weight'));
  t.false(graph.weights.has('norms.0.weight'));
});

const [height, width] = [48, 56];

/** Fine texture on a soft ground. */
function texture(seed: number, amplitude: number): Tensor<'float32'> {
  const next = random(seed);
  const data = Array.from({ length: 3 * height * width }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    return 0.3 * Math.sin(x / 9) * Math.cos(y / 7) + amplitude * (next() - 0.5);
  });
  return float32([1, 3, height, width], data);
}

async function distance(a: Tensor<'float32'>, b: Tensor<'float32'>): Promise<number> {
  const graph = new Graph({ training: true });
  const [x, y] = [graph.input('a', 'float32', a.shape), graph.input('b', 'float32', b.shape)];
  graph.output('d', bandDistance(x, y));
  const { d } = await runGraph(graph, { a, b });
  return d!.data[0] as number;
}

test('a picture has no distance from itself', async (t) => {
  t.is(await distance(texture(1, 0.4), texture(1, 0.4)), 0);
});

test('no detail is further away than other detail of the same kind', async (t) => {
  const picture = texture(1, 0.4);
  const [same, smooth] = [
    await distance(picture, texture(2, 0.4)),
    await distance(picture, texture(2, 0)),
  ];
  t.true(same < smooth, `${same} and ${smooth}`);
  // The mean squared error says the opposite: the mean of all textures is nearest to each.
  const error = (other: Tensor<'float32'>): number =>
    picture.data.reduce((sum, v, i) => sum + (v - other.data[i]!) ** 2, 0);
  t.true(error(texture(2, 0.4)) > error(texture(2, 0)));
});

test('pictures too small for the pyramid are refused', (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, 3, 39, 80]);
  t.throws(() => bandDistance(x, x), { instanceOf: ShapeError, message: /at least 40 pixels/ });
});
