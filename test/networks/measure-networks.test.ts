/** @file Properties of the measures' networks that need no reference vectors; small, with random weights. */
import test from 'ava';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { clipConfig } from '../../src/networks/clip-config.ts';
import { clipIqa, textDirections } from '../../src/networks/clip-iqa.ts';
import { dists } from '../../src/networks/dists.ts';
import { musiq, musiqConfig } from '../../src/networks/musiq.ts';
import { convBatchNorm } from '../../src/nn/batch-norm.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { float32, tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';
import { random } from '../helpers/random.ts';
import { runGraph, type Weights } from '../helpers/run-graph.ts';

type Float = Tensor<'float32'>;

function randomTensor(shape: readonly number[], seed: number, low = -1, high = 1): Float {
  const next = random(seed);
  const length = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Float32Array.from({ length }, () => low + (high - low) * next()),
  );
}

/** Weights for a graph, each by its key; variances are positive. */
function randomWeights(graph: Graph, scale: (key: string) => number = () => 1): Weights {
  const weights = new Map<string, Float>();
  for (const value of graph.weights.values()) {
    for (const { key, shape } of value.weight!.sources) {
      const positive = /running_var|alpha|beta|gn.*weight|norm.*weight|bn.*weight/.test(key);
      const x = randomTensor(shape, weights.size, positive ? 0.5 : -1, positive ? 1.5 : 1);
      weights.set(key, { ...x, data: x.data.map((v) => v * scale(key)) });
    }
  }
  return weights;
}

async function run(
  feeds: Tensors,
  build: (graph: Graph, input: (name: string) => Value) => void,
  scale?: (key: string) => number,
): Promise<Tensors & { readonly weights: Weights }> {
  const graph = new Graph();
  build(graph, (name) => graph.input(name, feeds[name]!.dtype, feeds[name]!.shape));
  const weights = randomWeights(graph, scale);
  return { ...(await runGraph(graph, feeds, weights)), weights } as never;
}

test('a normalisation folded into its convolution is the normalisation after it', async (t) => {
  const x = randomTensor([1, 3, 5, 4], 1);
  const { y, weights } = await run({ x }, (graph, input) => {
    const scopes = { conv: scope(graph, 'conv'), norm: scope(graph, 'bn') };
    const options = { pads: [1, 0, 1, 0], epsilon: 1e-3 } as const;
    graph.output('y', convBatchNorm(scopes, input('x'), 2, [3, 1], options));
  });
  const w = (key: string): Float32Array => weights.get(key)!.data;
  const expected: number[] = [];
  for (let o = 0; o < 2; o++) {
    for (let row = 0; row < 5; row++) {
      for (let column = 0; column < 4; column++) {
        let sum = 0;
        for (let c = 0; c < 3; c++) {
          for (let k = 0; k < 3; k++) {
            const from = row + k - 1;
            if (from < 0 || from > 4) continue;
            sum += w('conv.weight')[(o * 3 + c) * 3 + k]! * x.data[(c * 5 + from) * 4 + column]!;
          }
        }
        const deviation = Math.sqrt(w('bn.running_var')[o]! + 1e-3);
        const normal = (sum - w('bn.running_mean')[o]!) / deviation;
        expected.push(normal * w('bn.weight')[o]! + w('bn.bias')[o]!);
      }
    }
  }
  t.deepEqual(y!.shape, [1, 2, 5, 4]);
  t.true(difference(y!.data as Float32Array, expected).largest < 1e-5);
});

const thin = [4, 4, 6, 6, 8] as const;

test('DISTS is one minus the weighted quotients of means and of structure', async (t) => {
  const [a, b] = [randomTensor([1, 3, 40, 36], 1, 0, 1), randomTensor([1, 3, 40, 36], 2, 0, 1)];
  const build = (graph: Graph, input: (name: string) => Value): void => {
    const first = dists(scope(graph, ''), input('a'), input('b'), thin);
    graph.output('distance', first.distance);
    first.stages.forEach((stage, i) => graph.output(`a${i}`, stage));
    const second = dists(scope(graph, ''), input('b'), input('a'), thin);
    second.stages.forEach((stage, i) => graph.output(`b${i}`, stage));
    graph.output('back', second.distance);
    graph.output('same', dists(scope(graph, ''), input('a'), input('a'), thin).distance);
  };
  const scale = (key: string): number => (key.startsWith('trunk') ? 0.3 : 1);
  const got = await run({ a, b }, build, scale);
  const { alpha, beta } = Object.fromEntries(
    ['alpha', 'beta'].map((key) => [key, got.weights.get(key)!.data]),
  ) as Record<'alpha' | 'beta', Float32Array>;
  const total = [...alpha, ...beta].reduce((sum, v) => sum + v, 0);
  let likeness = 0;
  let channel = 0;
  for (let stage = 0; stage < 6; stage++) {
    const [x, y] = [got[`a${stage}`]!, got[`b${stage}`]!];
    const [, channels, height, width] = x.shape as [number, number, number, number];
    const area = height * width;
    for (let c = 0; c < channels; c++, channel++) {
      const [p, q] = [x, y].map(({ data }) =>
        Array.from((data as Float32Array).subarray(c * area, (c + 1) * area)),
      ) as [number[], number[]];
      const mean = (v: readonly number[]): number => v.reduce((sum, one) => sum + one, 0) / area;
      const [mp, mq] = [mean(p), mean(q)];
      const product = (u: number[], v: number[], mu: number, mv: number): number =>
        mean(u.map((one, i) => (one - mu) * (v[i]! - mv)));
      const texture = (2 * mp * mq + 1e-6) / (mp * mp + mq * mq + 1e-6);
      const structure =
        (2 * product(p, q, mp, mq) + 1e-6) / (product(p, p, mp, mp) + product(q, q, mq, mq) + 1e-6);
      likeness += (alpha[channel]! * texture + beta[channel]! * structure) / total;
    }
  }
  const distance = Number(got['distance']!.data[0]);
  t.true(distance > 0.05);
  t.true(Math.abs(distance - (1 - likeness)) < 1e-5);
  t.true(Math.abs(Number(got['back']!.data[0]) - distance) < 1e-6);
  t.is(Number(got['same']!.data[0]), 0);
});

test('patches that only fill up do not change the score of MUSIQ', async (t) => {
  const shapes = new Map([
    ['embedding.weight', [6, 256]],
    ['block1.conv3.weight', [256, 64, 1, 1]],
    ['transformer_encoder.posembed_input.position_emb', [1, 4, 6]],
    ['transformer_encoder.scaleembed_input.scale_emb', [3, 6]],
    ['transformer_encoder.transformer.encoderblock_0.norm1.weight', [6]],
    ['transformer_encoder.transformer.encoderblock_0.mlp.fc1.weight', [9, 6]],
    ['head.weight', [1, 6]],
  ]);
  const config = musiqConfig(shapes, 'musiq');
  t.like(config, { patch: 4, grid: 2, scales: 3, width: 6, layers: 1, heads: 6, marks: 1 });
  const score = async (filled: number): Promise<number> => {
    const count = 3 + filled;
    const patches = randomTensor([3, 3, 4, 4], 5);
    const data = new Float32Array(count * 48);
    data.set(patches.data);
    const numbers = (values: readonly bigint[]): Tensor =>
      tensor(
        'int64',
        [count],
        BigInt64Array.from({ length: count }, (_, i) => values[i] ?? 0n),
      );
    const mask = Float32Array.from({ length: count }, (_, i) => (i < 3 ? 1 : 0));
    const feeds = {
      patches: float32([count, 3, 4, 4], data),
      places: numbers([0n, 3n, 1n]),
      scales: numbers([0n, 1n, 2n]),
      mask: float32([count], mask),
    };
    const got = await run(
      feeds,
      (graph, input) => {
        const inputs = {
          patches: input('patches'),
          places: input('places'),
          scales: input('scales'),
          mask: input('mask'),
        };
        graph.output('score', musiq(scope(graph, ''), inputs, config).score);
      },
      (key) => (key === 'embedding.weight' ? 0.05 : 1),
    );
    return Number(got['score']!.data[0]);
  };
  const alone = await score(0);
  t.true(Math.abs((await score(5)) - alone) < 1e-5);
  t.not(alone, 0);
});

test('CLIP-IQA prefers one word of each pair as much as it does not the other', async (t) => {
  const config = clipConfig(
    new Map([
      ['token_embedding.weight', [9, 64]],
      ['visual.conv3.weight', [8, 4, 3, 3]],
      ['visual.layer1.0.conv1.weight', [8, 8, 1, 1]],
      ['visual.layer2.0.conv1.weight', [16, 32, 1, 1]],
      ['visual.layer3.0.conv1.weight', [32, 64, 1, 1]],
      ['visual.layer4.0.conv1.weight', [64, 128, 1, 1]],
      ['transformer.resblocks.0.ln_1.weight', [64]],
      ['positional_embedding', [5, 64]],
      ['text_projection', [64, 16]],
    ]),
    'clip',
  );
  const texts = [
    [7, 1, 8, 0],
    [7, 2, 8, 0],
    [7, 3, 4, 8],
    [7, 5, 8, 0],
  ];
  const swapped = [texts[1]!, texts[0]!, texts[3]!, texts[2]!];
  const x = randomTensor([1, 3, 70, 45], 3, 0, 1); // no multiple of 32
  const scale = (key: string): number =>
    /conv|proj|in_proj|c_fc/.test(key) && key.endsWith('weight') ? 0.1 : 1;
  const got = await run(
    { x },
    (graph, input) => {
      for (const [name, ids] of [
        ['first', texts],
        ['second', swapped],
      ] as const) {
        const s = scope(graph, '');
        const { preferences, score } = clipIqa(
          s,
          input('x'),
          textDirections(s, ids, config),
          config,
        );
        graph.output(`${name}.preferences`, preferences);
        graph.output(`${name}.score`, score);
      }
    },
    scale,
  );
  const [a, b] = ['first', 'second'].map((name) =>
    Array.from(got[`${name}.preferences`]!.data as Float32Array),
  ) as [number[], number[]];
  t.is(a.length, 2);
  t.not(a[0], a[1]);
  t.true(
    difference(
      a,
      b.map((v) => 1 - v),
    ).largest < 1e-5,
  );
  const score = Number(got['first.score']!.data[0]);
  t.true(Math.abs(score - (a[0]! + a[1]!) / 2) < 1e-6);
  t.true(score > 0 && score < 1);
});

test('a text ends at its end token: what fills up behind it does not matter', async (t) => {
  const config = {
    visual: { width: 8, blocks: [1, 1, 1, 1] },
    text: { width: 64, layers: 2, vocabulary: 9, positions: 7 },
    embed: 16,
  };
  const directions = async (ids: readonly (readonly number[])[]): Promise<Float32Array> => {
    const got = await run(
      {},
      (graph) => {
        graph.output('y', textDirections(scope(graph, ''), ids, config));
      },
      (key) => (key.endsWith('weight') && !/ln/.test(key) ? 0.1 : 1),
    );
    return got['y']!.data as Float32Array;
  };
  const short = await directions([
    [7, 1, 8],
    [7, 2, 8],
  ]);
  const long = await directions([
    [7, 1, 8, 0, 0, 0],
    [7, 2, 8, 0, 0, 0],
  ]);
  t.true(difference(short, long).largest < 1e-5);
});
