/** @file The degradation against vectors made with PyTorch and basicsr (`../shared/golden/degradation`). */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { degrade, enlargeInput, type StepHook } from '../../src/degrade/chain.ts';
import { filter2d } from '../../src/degrade/filter.ts';
import { diffJpeg } from '../../src/degrade/jpeg.ts';
import { kernelWeights } from '../../src/degrade/kernels.ts';
import { gaussianNoise, poissonBase, poissonNoise } from '../../src/degrade/noise.ts';
import { resizeBy, resizeTo, type ResizeMode } from '../../src/degrade/resize.ts';
import { sharpen } from '../../src/degrade/usm.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { largestDifference } from './compare.ts';
import {
  kernelOf,
  planOf,
  replayed,
  sampleOf,
  type GoldenChain,
  type GoldenKernel,
} from './golden-plan.ts';

interface Pieces {
  kernels: GoldenKernel[];
  resizes: { name: string; mode: ResizeMode; scale?: number; size?: [number, number] }[];
  gauss: { sigma: number[] };
  poisson: { scale: number[] };
  jpeg: { name: string; source: string; quality: number | number[] }[];
}

const folder = golden('degradation');
const only = folder === undefined ? test.skip : test;
const because = folder === undefined ? ' (no ../shared/golden)' : '';

const json = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
const pieces = folder === undefined ? undefined : (json('pieces') as Pieces);
const arrays: ReadonlyMap<string, Tensor> =
  folder === undefined ? new Map() : readGolden(`${folder}/pieces.safetensors`);
const planes = (key: string, n = 0) => sampleOf(arrays.get(key)!, n);

/** PyTorch's own float32 rounding reaches 2e-6 where 441 products are summed. */
const tolerance = 4e-6;

only(`kernels are those of basicsr${because}`, (t) => {
  for (const [i, parameters] of pieces!.kernels.entries()) {
    const { shape, data } = kernelWeights(kernelOf(parameters));
    const expected = arrays.get(`kernel.${i}`)!;
    const [size, full] = [shape[0]!, expected.shape[0]!];
    const padded = new Float64Array(full * full);
    const edge = (full - size) / 2;
    for (let y = 0; y < size; y++) {
      padded.set(data.subarray(y * size, (y + 1) * size), (y + edge) * full + edge);
    }
    const difference = largestDifference(padded, expected.data as Float64Array);
    t.true(difference < 1e-14, `${i} ${parameters.kind}: ${difference}`);
  }
});

only(`filtering is basicsr's filter2D${because}`, (t) => {
  for (const [i, parameters] of pieces!.kernels.entries()) {
    const y = filter2d(planes('picture'), kernelWeights(kernelOf(parameters)));
    const difference = largestDifference(y.data, planes(`filter2d.${i}`).data);
    t.true(difference < tolerance, `${i} ${parameters.kind}: ${difference}`);
  }
});

only(`resizing is PyTorch's F.interpolate${because}`, (t) => {
  for (const { name, mode, scale, size } of pieces!.resizes) {
    const x = planes('picture');
    const y = size ? resizeTo(x, mode, ...size) : resizeBy(x, mode, scale!);
    const expected = planes(name);
    t.deepEqual(y.shape, expected.shape, name);
    const difference = largestDifference(y.data, expected.data);
    t.true(difference < tolerance, `${name} ${mode}: ${difference}`);
  }
});

only(`Gaussian noise is basicsr's to the bit${because}`, (t) => {
  for (const [n, sigma] of pieces!.gauss.sigma.entries()) {
    const colour = gaussianNoise(planes('two', n), sigma, planes('gauss.colour', n).data);
    t.deepEqual(colour.data, planes('gauss.out_colour', n).data.slice());
    const grey = gaussianNoise(planes('two', n), sigma, planes('gauss.grey').data);
    t.deepEqual(grey.data, planes('gauss.out_grey', n).data.slice());
  }
});

only(`Poisson noise is basicsr's to the bit${because}`, (t) => {
  for (const [n, scale] of pieces!.poisson.scale.entries()) {
    for (const kind of ['colour', 'grey']) {
      const x = planes('two', n);
      const base = poissonBase(x, kind === 'grey');
      t.is(base.levels, planes(`poisson.levels_${kind}`, n).data[0]!);
      const rates = Float32Array.from(base.bytes, (v) => Math.fround(v / 255) * base.levels);
      t.deepEqual(rates, planes(`poisson.rate_${kind}`, n).data.slice());
      const y = poissonNoise(x, scale, base, planes(`poisson.counts_${kind}`, n).data);
      t.deepEqual(y.data, planes(`poisson.out_${kind}`, n).data.slice());
    }
  }
});

only(`JPEG is basicsr's DiffJPEG${because}`, (t) => {
  for (const { name, source, quality } of pieces!.jpeg) {
    for (const [n, value] of [quality].flat().entries()) {
      const y = diffJpeg(planes(source, n), value);
      const difference = largestDifference(y.data, planes(name, n).data);
      t.true(difference < tolerance, `${name} at ${value}: ${difference}`);
    }
  }
});

only(`sharpening is Real-ESRGAN's USMSharp${because}`, (t) => {
  const difference = largestDifference(sharpen(planes('large')).data, planes('usm.out').data);
  t.true(difference < tolerance, String(difference));
});

const chains = folder === undefined ? [] : (json('chains') as GoldenChain[]);
const recorded: ReadonlyMap<string, Tensor> =
  folder === undefined ? new Map() : readGolden(`${folder}/chains.safetensors`);

only(`each step of OSEDiff's chains follows from the one before${because}`, async (t) => {
  for (const [run, chain] of chains.entries()) {
    const plan = planOf(chain);
    const truth = sampleOf(recorded.get(`${run}.gt`)!);
    const steps: string[] = [];
    const onStep: StepHook = (step, x) => {
      const expected = sampleOf(recorded.get(`${run}.after.${steps.length}`)!);
      const difference = largestDifference(x.data, expected.data);
      t.true(difference < tolerance, `run ${run}, ${step}: ${difference}`);
      steps.push(step);
      return expected;
    };
    const low = await degrade(truth, plan, { noise: replayed(recorded, run), onStep });
    enlargeInput(low, plan, truth.shape[1]!, truth.shape[2]!, onStep);
    t.deepEqual(steps, chain.steps);
  }
});

only(`OSEDiff's chains as a whole differ only where a byte's edge decides${because}`, async (t) => {
  for (const [run, chain] of chains.entries()) {
    const plan = planOf(chain);
    const truth = sampleOf(recorded.get(`${run}.gt`)!);
    const low = await degrade(truth, plan, { noise: replayed(recorded, run) });
    const input = enlargeInput(low, plan, truth.shape[1]!, truth.shape[2]!);
    const expected = sampleOf(recorded.get(`${run}.after.${chain.steps.length - 1}`)!);
    const steps = input.data.map((v, i) => Math.round(Math.abs(v - expected.data[i]!) * 255));
    const different = steps.filter((v) => v > 0);
    t.true(different.length <= input.data.length / 1000, `run ${run}: ${different.length}`);
    t.true(
      different.every((v) => v === 1),
      `run ${run}`,
    );
  }
});
