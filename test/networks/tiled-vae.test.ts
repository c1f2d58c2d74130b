/** @file The official program's tiles: where they lie, how they are weighed, and that they fit together. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope, type Scope } from '../../src/graph/scope.ts';
import { gaussianWeights, publishedTiling, tileStarts } from '../../src/networks/gaussian-tiles.ts';
import {
  decodeTiled,
  encodeMomentsTiled,
  isTiled,
  publishedDecoderTiling,
  publishedEncoderTiling,
  vaeTiles,
} from '../../src/networks/tiled-vae.ts';
import { decode, encodeMoments, type VaeConfig } from '../../src/networks/vae.ts';
import { openModel } from '../../src/pipeline/model.ts';
import { compile } from '../../src/pipeline/compile.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';

test('latents are tiled from the border, the last tile moved back', (t) => {
  t.deepEqual(tileStarts(96, publishedTiling), [0]);
  t.deepEqual(tileStarts(97, publishedTiling), [0, 1]);
  t.deepEqual(tileStarts(160, publishedTiling), [0, 64]);
  t.deepEqual(tileStarts(200, publishedTiling), [0, 64, 104]);
});

test('the weights of latents fall off from a middle that is half a row low', (t) => {
  const n = 16;
  const weights = gaussianWeights(n);
  const at = (y: number, x: number): number => weights[y * n + x]!;
  // Along x the middle lies between columns 7 and 8, along y on row 8.
  t.is(at(8, 7), at(8, 8));
  t.true(at(8, 7) > at(7, 7));
  t.is(at(7, 7), at(9, 7));
  // exp(-(0.5 / 16)^2 / 0.02) / (2 pi 0.01)
  t.true(Math.abs(at(8, 7) - Math.exp(-((0.5 / 16) ** 2) / 0.02) / (2 * Math.PI * 0.01)) < 1e-12);
  t.is(Math.max(...weights), at(8, 7));
});

test('pictures up to a tile and its context are not tiled', (t) => {
  t.false(isTiled(1088, 1088, publishedEncoderTiling));
  t.true(isTiled(1088, 1089, publishedEncoderTiling));
  t.false(isTiled(246, 246, publishedDecoderTiling));
  t.true(isTiled(247, 1, publishedDecoderTiling));
});

test('the parts that tiles give cover the result once, and lie inside what tiles read', (t) => {
  for (const [height, width, tile, padding, scale] of [
    [160, 224, 64, 32, 1 / 8],
    [28, 42, 16, 11, 8],
    [1096, 2048, 1024, 32, 1 / 8],
    [104, 1000, 96, 32, 1 / 8],
    [300, 247, 224, 11, 8],
  ] as const) {
    const tiles = vaeTiles(height, width, { tile, padding }, scale);
    const [rows, columns] = [height * scale, width * scale];
    const covered = new Uint8Array(rows * columns);
    for (const { input, output } of tiles) {
      t.true(output.top >= input.top * scale && output.bottom <= input.bottom * scale);
      t.true(output.left >= input.left * scale && output.right <= input.right * scale);
      t.true(input.bottom - input.top <= tile + 2 * padding + 32);
      for (let y = output.top; y < output.bottom; y++) {
        for (let x = output.left; x < output.right; x++) covered[y * columns + x]!++;
      }
    }
    t.true(
      covered.every((count) => count === 1),
      `${height}x${width}`,
    );
  }
});

function waves(...shape: number[]): Tensor<'float32'> {
  return float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(i * 0.37) * Math.cos(i * 0.011)),
  );
}

type Build = (s: Scope, x: Value, config: VaeConfig) => Value;

const model = openModel(fileURLToPath(new URL('../fixtures/tiny/models/tiny', import.meta.url)));
test.after.always(async () => (await model).close());

async function run(x: Tensor<'float32'>, build: Build): Promise<Tensor> {
  const opened = await model;
  const graph = new Graph();
  const input = graph.input('x', 'float32', x.shape);
  graph.output('y', build(scope(graph, 'vae'), input, opened.config.generator.vae));
  const session = await compile(graph, opened, { device: 'cpu', precision: 'fp32' });
  const { y } = await session.run({ x });
  await session.release();
  return y!;
}

const agree = test.macro({
  title: (_, name: string) => `one tile is the whole: ${name}`,
  async exec(t, _: string, x: Tensor<'float32'>, whole: Build, tiled: Build) {
    const [a, b] = [await run(x, whole), await run(x, tiled)];
    t.deepEqual(b.shape, a.shape);
    t.true(difference(a.data as Float32Array, b.data as Float32Array).largest < 2e-5);
  },
});

test(agree, 'encoder', waves(1, 3, 48, 64), encodeMoments, (s, x, config) =>
  encodeMomentsTiled(s, x, config, { tile: 64, padding: 0 }),
);
test(agree, 'decoder', waves(2, 4, 6, 8), decode, (s, z, config) =>
  decodeTiled(s, z, config, { tile: 8, padding: 0 }),
);

test('tiles share the statistics of their group norms', async (t) => {
  // Two tiles of very unlike contents: with statistics of their own each would look the same.
  const z = waves(1, 4, 4, 32);
  for (let i = 0; i < z.data.length; i++) if (i % 32 < 16) z.data[i]! *= 20;
  const tiling = { tile: 16, padding: 4 };
  const whole = await run(z, decode);
  const tiled = await run(z, (s, x, config) => decodeTiled(s, x, config, tiling));
  const half = (side: 0 | 1): Tensor<'float32'> => ({
    ...float32([1, 4, 4, 16], new Float32Array(256)),
    data: z.data.filter((_, i) => (i % 32 < 16 ? 0 : 1) === side),
  });
  const alone = await Promise.all([0, 1].map((side) => run(half(side as 0 | 1), decode)));
  const joined = Float32Array.from(whole.data as Float32Array, (_, i) => {
    const [row, column] = [Math.floor(i / 256), i % 256];
    return alone[column < 128 ? 0 : 1]!.data[row * 128 + (column % 128)] as number;
  });
  const rms = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Math.sqrt(Array.from(a, (v, i) => (v - b[i]!) ** 2).reduce((x, y) => x + y) / a.length);
  const apart = rms(whole.data as Float32Array, joined);
  t.true(rms(whole.data as Float32Array, tiled.data as Float32Array) < apart / 2);
});
