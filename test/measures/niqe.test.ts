/** @file NIQE against pyiqa 0.1.10, reference vectors, and the scores the authors published. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { yiqLuma } from '../../src/measures/luma.ts';
import { fitPrior, niqe } from '../../src/measures/niqe.ts';
import { niqeBlocks } from '../../src/measures/niqe-features.ts';
import { publishedPrior, readPrior } from '../../src/measures/niqe-prior.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { flat, texture } from './pattern.ts';
import { readRgb, shared } from './pictures.ts';

const prior = publishedPrior();

/** pyiqa 0.1.10 (torch 2.15, CPU) on the same picture as a PNG file. */
const fromPyiqa = test.macro({
  title: (_, width: number, height: number, seed: number, grain: number) =>
    `agrees with pyiqa on ${width}x${height}, texture ${seed}, grain ${grain}`,
  exec(t, width: number, height: number, seed: number, grain: number, expected: number) {
    const score = niqe(texture(width, height, seed, grain), prior);
    t.true(Math.abs(score - expected) < 1e-5, `${score}`);
  },
});
test(fromPyiqa, 301, 213, 1, 12, 14.874769968851625);
test(fromPyiqa, 301, 213, 1, 0, 21.661789682882688);
test(fromPyiqa, 301, 213, 2, 30, 39.06501848017342);
test(fromPyiqa, 230, 317, 3, 5, 15.884649224465454);

test('a flat picture, one smaller than a block and one of a single block have no score', (t) => {
  t.is(niqe(flat(300, 300, 90), prior), NaN);
  t.is(niqe(texture(300, 95, 1, 9), prior), NaN);
  t.is(niqe(texture(191, 191, 1, 9), prior), NaN);
});

test('only whole blocks count', (t) => {
  const { width, data } = texture(260, 200, 5, 9);
  const cropped = { width: 192, height: 192, data: new Uint8Array(192 * 192 * 3) };
  for (let row = 0; row < 192; row++) {
    cropped.data.set(data.subarray(row * width * 3, (row * width + 192) * 3), row * 192 * 3);
  }
  t.is(niqe({ width, height: 200, data }, prior), niqe(cropped, prior));
});

test('a prior of the same statistics is at no distance', async (t) => {
  const picture = texture(96 * 7, 96 * 7, 6, 20);
  const blocks = niqeBlocks({ width: 672, height: 672, data: yiqLuma(picture) });
  const peak = Math.max(...blocks.map(({ sharpness }) => sharpness));
  t.true(blocks.every(({ sharpness }) => sharpness > 0.75 * peak)); // so all are fitted
  t.true(niqe(picture, await fitPrior([picture])) < 1e-3); // the prior passes through float32
});

test('a fitted prior leaves out the blocks that are not sharp', async (t) => {
  const sharp = texture(96 * 7, 96 * 7, 6, 40);
  const dull = texture(96 * 7, 96 * 14, 7, 1);
  dull.data.set(sharp.data); // sharp above, dull below
  const [alone, both] = [await fitPrior([sharp]), await fitPrior([dull])];
  // The half size and the window look across the border between the two, hence no equality.
  const worst = Math.max(...alone.mean.map((v, i) => Math.abs(v - both.mean[i]!)));
  t.true(worst < 0.05, `${worst}`);
});

test('too few sharp blocks for a prior are refused', async (t) => {
  await t.throwsAsync(() => fitPrior([texture(96 * 6, 96 * 6, 1, 9)]), {
    instanceOf: ShapeError,
    message: /more than 36 sharp blocks.*got 36/,
  });
});

const vectors = golden('metrics/classic.json');
const withVectors = vectors === undefined ? test.skip : test;

withVectors('(needs ../shared) the published prior is the official file, read', (t) => {
  t.deepEqual(readPrior(golden('metrics/niqe_pris_params.npz')!), prior);
});

interface Classic {
  readonly pictures: Record<string, { result: string; niqe: number; authors?: { niqe: number } }>;
}

withVectors('(needs ../shared) features and scores equal the vectors', async (t) => {
  const { pictures } = JSON.parse(readFileSync(vectors!, 'utf8')) as Classic;
  const tensors = readGolden(golden('metrics/classic.safetensors')!);
  for (const [name, { result, niqe: expected }] of Object.entries(pictures)) {
    const file = golden(`metrics/${result}`) ?? shared(`data/${result}`)!;
    const picture = await readRgb(file);
    const blocks = niqeBlocks({ ...picture, data: yiqLuma(picture) });
    const features = tensors.get(`${name}.niqe_features`)!;
    t.deepEqual(features.shape, [blocks.length, 36]);
    const mine = blocks.flatMap((block) => [...block.features]);
    const worst = Math.max(...mine.map((v, i) => Math.abs(v - Number(features.data[i]))));
    t.true(worst < 1e-5, `${name}: ${worst}`);
    const score = niqe(picture, prior);
    t.true(Math.abs(score - expected) < 1e-5, `${name}: ${score}, vector ${expected}`);
  }
});

const realsr = shared('data/realsr');
const published = realsr === undefined ? test.skip : test;

published(
  "(needs ../shared) scores the authors' 100 RealSR pictures as their log does",
  async (t) => {
    const log = readFileSync(`${realsr}/osediff-metrics.log`, 'utf8');
    const lines = [...log.matchAll(/\/(\w+\.png) \| .*NIQE: ([\d.]+);/g)];
    t.is(lines.length, 100);
    let mean = 0;
    for (const [, file, expected] of lines) {
      const score = niqe(await readRgb(`${realsr}/osediff/${file}`), prior);
      t.true(Math.abs(score - Number(expected)) <= 0.03, `${file}: ${score}, log ${expected}`);
      mean += score / 100;
    }
    t.true(Math.abs(mean - 5.6476) <= 5e-4, `${mean}`);
  },
);
