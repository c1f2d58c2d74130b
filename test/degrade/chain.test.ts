import test from 'ava';
import { degrade, enlargeInput, seededNoise, type NoiseSource } from '../../src/degrade/chain.ts';
import { drawPlan } from '../../src/degrade/draw.ts';
import { osediffParams } from '../../src/degrade/params.ts';
import type { Plan } from '../../src/degrade/plan.ts';
import { realJpeg } from '../../src/degrade/real-jpeg.ts';
import { resizeTo } from '../../src/degrade/resize.ts';
import { ShapeError, UsageError } from '../../src/tensor/errors.ts';
import { noisePlanes, scene } from './pictures.ts';

/** A plan that changes nothing but the size. */
const gentle: Plan = {
  scale: 4,
  first: { blur: null, resize: { scale: 1, mode: 'area' }, noise: null, quality: null },
  second: { blur: null, resize: { scale: 1, mode: 'area' }, noise: null, quality: null },
  final: { order: 'sinc_first', mode: 'area', sinc: null },
  back: { mode: 'bilinear' },
  noiseStream: [0],
};

test('with every step left out it is a reduction', async (t) => {
  const x = scene(32, 48);
  t.deepEqual((await degrade(x, gentle)).data, resizeTo(x, 'area', 8, 12).data);
});

test('plans of any draw give a small picture and an input of the full size', async (t) => {
  const x = scene(66, 83);
  for (let seed = 0; seed < 12; seed++) {
    const plan = drawPlan(osediffParams, [seed]);
    const low = await degrade(x, plan);
    t.deepEqual(low.shape, [3, 16, 20]);
    const input = enlargeInput(low, plan, 66, 83);
    t.deepEqual(input.shape, [3, 66, 83]);
    t.true(input.data.every((v) => v >= 0 && v <= 1));
    t.true(input.data.every((v) => Math.abs(v * 255 - Math.round(v * 255)) < 1e-4));
    t.deepEqual((await degrade(x, plan)).data, low.data);
  }
});

test('a plan that went through JSON does the same', async (t) => {
  const x = scene(40, 40);
  const plan = drawPlan(osediffParams, [77]);
  const again = JSON.parse(JSON.stringify(plan)) as Plan;
  t.deepEqual((await degrade(x, again)).data, (await degrade(x, plan)).data);
});

test('the two stages draw their noise from streams of their own', async (t) => {
  const asked: [stage: number, count: number][] = [];
  const noise: NoiseSource = {
    normal: (stage, count) => (asked.push([stage, count]), new Float32Array(count)),
    counts: (stage, { bytes }) => (
      asked.push([stage, bytes.length]),
      new Float32Array(bytes.length)
    ),
  };
  const plan: Plan = {
    ...gentle,
    first: { ...gentle.first, noise: { kind: 'gaussian', grey: true, sigma: 3 } },
    second: { ...gentle.second, noise: { kind: 'poisson', grey: false, scale: 1 } },
  };
  await degrade(scene(32, 48), plan, { noise });
  t.deepEqual(asked, [
    [1, 32 * 48],
    [2, 3 * 8 * 12],
  ]);
});

test('seeded noise of one stage is not that of the other', (t) => {
  const noise = seededNoise([4]);
  t.deepEqual(noise.normal(1, 8), noise.normal(1, 8));
  t.notDeepEqual(noise.normal(1, 8), noise.normal(2, 8));
  const base = { bytes: new Uint8Array(8).fill(200), levels: 256 };
  t.deepEqual(noise.counts(2, base), noise.counts(2, base));
  t.notDeepEqual(noise.counts(1, base), noise.counts(2, base));
});

test('the last JPEG and the last reduction come in the order of the plan', async (t) => {
  const order = async (final: Plan['final']): Promise<string[]> => {
    const steps: string[] = [];
    const second = { ...gentle.second, quality: 60 };
    await degrade(
      scene(32, 32),
      { ...gentle, second, final },
      { onStep: (step, x) => (steps.push(step), x) },
    );
    return steps;
  };
  const sinc = { kind: 'sinc', size: 7, omega: 2 } as const;
  const start = ['1.resize', '2.resize'];
  t.deepEqual(await order({ order: 'sinc_first', mode: 'area', sinc }), [
    ...start,
    'final.resize',
    'final.filter',
    '2.jpeg',
  ]);
  t.deepEqual(await order({ order: 'jpeg_first', mode: 'area', sinc }), [
    ...start,
    '2.jpeg',
    'final.resize',
    'final.filter',
  ]);
});

test('JPEG sees values in [0, 1] only, of the quality drawn', async (t) => {
  const seen: number[] = [];
  const plan: Plan = {
    ...gentle,
    second: { ...gentle.second, quality: 61.5 },
    // Rings beyond the range of a picture of noise.
    final: { order: 'sinc_first', mode: 'area', sinc: { kind: 'sinc', size: 21, omega: 3 } },
  };
  await degrade(noisePlanes(1, 3, 64, 64), plan, {
    jpeg: (x, quality) => {
      t.true(x.data.every((v) => v >= 0 && v <= 1));
      seen.push(quality);
      return x;
    },
  });
  t.deepEqual(seen, [61.5]);
});

test('real JPEG takes the place of the computed one', async (t) => {
  const x = scene(48, 48);
  const plan = drawPlan(osediffParams, [5]);
  const real = await degrade(x, plan, { jpeg: realJpeg });
  t.deepEqual(real.shape, [3, 12, 12]);
  t.notDeepEqual(real.data, (await degrade(x, plan)).data);
  t.deepEqual(real.data, (await degrade(x, plan, { jpeg: realJpeg })).data);
});

test('refuses pictures too small to be reduced, and others than RGB', async (t) => {
  const plan: Plan = {
    ...gentle,
    second: { ...gentle.second, resize: { scale: 0.3, mode: 'area' } },
  };
  await t.throwsAsync(degrade(scene(8, 64), plan), {
    instanceOf: UsageError,
    message: /^resize: expected a size of at least 1x1, got 4x0/,
  });
  await t.throwsAsync(degrade(noisePlanes(1, 1, 32, 32), gentle), {
    instanceOf: ShapeError,
    message: 'degrade: expected 3 planes, got 1.',
  });
});
