/** @file Swin blocks against attention written out token by token. */
import test from 'ava';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { mergePatches, swinBlock, windowsOf } from '../../src/networks/swin.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';
import { random } from '../helpers/random.ts';
import { runGraph } from '../helpers/run-graph.ts';

const [n, side, size, heads, width, hidden] = [2, 6, 3, 2, 8, 12];

/** A matrix times a vector, plus a bias. */
function affine(w: Tensor, b: Tensor | undefined, x: readonly number[]): number[] {
  const [rows, columns] = w.shape as [number, number];
  return Array.from({ length: rows }, (_, r) => {
    let sum = b ? Number(b.data[r]) : 0;
    for (let c = 0; c < columns; c++) sum += Number(w.data[r * columns + c]) * x[c]!;
    return sum;
  });
}

function normalize(w: Tensor, b: Tensor, x: readonly number[]): number[] {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + 1e-5);
  return x.map((v, i) => (v - mean) * scale * Number(w.data[i]) + Number(b.data[i]));
}

/** Abramowitz and Stegun 7.1.26 is too coarse: the integral by Simpson's rule. */
function erf(x: number): number {
  const steps = 200;
  const h = x / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 ? 4 : 2;
    sum += weight * Math.exp(-((i * h) ** 2));
  }
  return (2 / Math.sqrt(Math.PI)) * (h / 3) * sum;
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((v, i) => v + b[i]!);

/** The block as the paper words it: each token looks at those of its window. */
function blockByHand(
  tokens: readonly (readonly number[])[],
  w: (key: string) => Tensor,
  shift: number,
): number[][] {
  const place = (i: number): [number, number] => [Math.floor(i / side), i % side];
  /** Where a token stands after rolling. */
  const rolled = (i: number): [number, number] =>
    place(i).map((p) => (p - shift + side) % side) as [number, number];
  const window = (i: number): string =>
    rolled(i)
      .map((p) => Math.floor(p / size))
      .join();
  /** Tokens rolled round the edge are of another region than those that were not. */
  const region = (i: number): string =>
    place(i)
      .map((p) => (p < shift ? 'round' : 'straight'))
      .join();
  const qkv = tokens.map((x) =>
    affine(
      w('attn.qkv.weight'),
      w('attn.qkv.bias'),
      normalize(w('norm1.weight'), w('norm1.bias'), x),
    ),
  );
  const d = width / heads;
  return tokens.map((x, i) => {
    const seen: number[] = [];
    for (let head = 0; head < heads; head++) {
      const part = (j: number, which: number): number[] =>
        qkv[j]!.slice(which * width + head * d, which * width + (head + 1) * d);
      const others = tokens.map((_, j) => j).filter((j) => window(j) === window(i));
      const scores = others.map((j) => {
        const [dy, dx] = [0, 1].map((axis) => rolled(i)[axis]! - rolled(j)[axis]! + size - 1);
        const row = dy! * (2 * size - 1) + dx!;
        const bias = Number(w('attn.relative_position_bias_table').data[row * heads + head]);
        const apart = region(i) === region(j) ? 0 : -100;
        return dot(part(i, 0), part(j, 1)) / Math.sqrt(d) + bias + apart;
      });
      const total = scores.reduce((sum, v) => sum + Math.exp(v), 0);
      let mixed = Array.from({ length: d }, () => 0);
      others.forEach((j, k) => {
        mixed = plus(
          mixed,
          part(j, 2).map((v) => (v * Math.exp(scores[k]!)) / total),
        );
      });
      seen.push(...mixed);
    }
    const h = plus(x, affine(w('attn.proj.weight'), w('attn.proj.bias'), seen));
    const normal = normalize(w('norm2.weight'), w('norm2.bias'), h);
    const wide = affine(w('mlp.fc1.weight'), w('mlp.fc1.bias'), normal);
    const active = wide.map((v) => (v / 2) * (1 + erf(v / Math.SQRT2)));
    return plus(h, affine(w('mlp.fc2.weight'), w('mlp.fc2.bias'), active));
  });
}

function randomTensor(shape: readonly number[], next: () => number): Tensor<'float32'> {
  const count = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Float32Array.from({ length: count }, () => 2 * next() - 1),
  );
}

function randomWeights(graph: Graph): Map<string, Tensor<'float32'>> {
  const next = random(3);
  const weights = new Map<string, Tensor<'float32'>>();
  for (const value of graph.weights.values()) {
    for (const { key, shape } of value.weight!.sources) weights.set(key, randomTensor(shape, next));
  }
  return weights;
}

const matchesHand = test.macro(async (t, shifted: boolean) => {
  const graph = new Graph();
  const input = graph.input('x', 'float32', [n, side * side, width]);
  const windows = windowsOf(graph, side, size, n);
  const y = swinBlock(scope(graph, 'b'), input, { heads, hidden }, windows, shifted);
  graph.output('y', y);
  const weights = randomWeights(graph);
  const x = randomTensor([n, side * side, width], random(7));
  const got = (await runGraph(graph, { x }, weights))['y']!;
  const tokensOf = (i: number): number[][] =>
    Array.from({ length: side * side }, (_, j) => {
      const start = (i * side * side + j) * width;
      return Array.from(x.data.slice(start, start + width));
    });
  const expected = [0, 1].flatMap((i) =>
    blockByHand(tokensOf(i), (key) => weights.get(`b.${key}`)!, shifted ? size >> 1 : 0).flat(),
  );
  t.deepEqual(got.shape, [n, side * side, width]);
  t.true(difference(got.data as Float32Array, expected).largest < 1e-5);
});
test('a block attends inside its windows', matchesHand, false);
test(
  'a shifted block rolls its tokens and keeps them from looking round the edge',
  matchesHand,
  true,
);

test('a stage of one window is not shifted', (t) => {
  const { shift, mask } = windowsOf(new Graph(), 4, 4, 1);
  t.is(shift, 0);
  t.is(mask, undefined);
});

test('merging takes squares of four tokens, down each column first', async (t) => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, 16, 1]);
  graph.output('y', mergePatches(scope(graph, 'd'), x, 4));
  const weights = new Map([
    ['d.norm.weight', float32([4], [1, 1, 1, 1])],
    ['d.norm.bias', float32([4], [0, 0, 0, 0])],
    ['d.reduction.weight', float32([2, 4], [1, 0, 0, 0, 0, 1, 0, 0])], // the first two of four
  ]);
  const squares = [0, 2, 8, 10].map((start) => [start, start + 4, start + 1, start + 5]);
  const picture = float32(
    [1, 16, 1],
    Array.from({ length: 16 }, (_, i) => i ** 2),
  );
  const got = (await runGraph(graph, { x: picture }, weights))['y']!;
  const ones = float32([4], [1, 1, 1, 1]);
  const zeros = float32([4], [0, 0, 0, 0]);
  const expected = squares.flatMap((square) =>
    normalize(
      ones,
      zeros,
      square.map((i) => i ** 2),
    ).slice(0, 2),
  );
  t.true(difference(got.data as Float32Array, expected).largest < 1e-5);
});
