/**
 * @file Draws what distillation does: a short training of the bundled model with it and without.
 *
 *     node --conditions=osediff-source --import=tsx bench/curves.ts PHOTOS curves.svg
 *
 * The bundled model has no prior, so one is trained first, on the latents of the same photographs. Then
 * the generator is trained twice, on the same samples and noise. Without distillation its loss is still
 * measured, with a factor that moves nothing.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { osediffParams } from '../src/degrade/params.ts';
import { openSamples } from '../src/degrade/pool.ts';
import { type Algorithm1, algorithm1, type LossName } from '../src/finetune/algorithm1.ts';
import type { Algorithm1Config } from '../src/finetune/algorithm1-config.ts';
import { initialParameters } from '../src/finetune/initial.ts';
import { priorStep } from '../src/finetune/prior.ts';
import { trainingSession } from '../src/finetune/session.ts';
import { paperSettings, trainingConfig } from '../src/finetune/settings.ts';
import { type Batch, Trainer } from '../src/finetune/step.ts';
import type { Noise } from '../src/finetune/step-inputs.ts';
import { modelConfig } from '../src/networks/model-config.ts';
import { latentReduction } from '../src/networks/osediff.ts';
import { requiredByUnet } from '../src/networks/required.ts';
import { unetConfig } from '../src/networks/unet-config.ts';
import { UsageError } from '../src/tensor/errors.ts';
import { toFloat32 } from '../src/tensor/float16.ts';
import { fillNormal } from '../src/tensor/normal.ts';
import { Random } from '../src/tensor/random.ts';
import { elementCount, float32, type Tensor, tensor } from '../src/tensor/tensor.ts';
import { openPart, readConfigs } from '../src/weights/model-folder.ts';
import { type Curve, drawCurves } from './curves-svg.ts';

type Float = Tensor<'float32'>;

const { values: options, positionals } = parseArgs({
  options: {
    prior: { type: 'string', default: '600' },
    steps: { type: 'string', default: '200' },
    batch: { type: 'string', default: '4' },
    pixels: { type: 'string', default: '96' },
    rate: { type: 'string', default: '1e-4' },
  },
  allowPositionals: true,
});
const [photos, output] = positionals;
if (!photos || !output) throw new UsageError('curves: expected a folder of photos and a file.');
const [priorSteps, steps, batch, pixels, rate] = [
  options.prior,
  options.steps,
  options.batch,
  options.pixels,
  options.rate,
].map(Number) as [number, number, number, number, number];

const folder = fileURLToPath(new URL('../models/compact', import.meta.url));
const weights = new Map<string, Float>();
const config = await baseConfig();
const files = (await readdir(photos))
  .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
  .map((name) => join(photos, name));
console.error(`training a prior for ${priorSteps} steps`);
await trainPrior();
const curves: Curve[] = [];
for (const [label, factor] of [
  ['with distillation', 1],
  ['without', 1e-6],
] as const) {
  console.error(`training ${label}`);
  curves.push({ label, losses: await trainGenerator(factor) });
}
await writeFile(output, drawCurves(curves));

/** The bundled model, a prior of two levels, and everything trained as a whole. */
async function baseConfig(): Promise<Algorithm1Config> {
  const json = await readConfigs(folder);
  const { generator } = modelConfig({
    unet: json.parts.get('unet')!,
    vae: json.parts.get('vae')!,
    textEncoder: undefined,
    scheduler: json.scheduler,
    own: json.own,
  });
  for (const part of ['unet', 'vae'] as const) {
    const source = await openPart(folder, part);
    for (const key of source.entries.keys()) {
      weights.set(`${part}.${key}`, toFloat32(await source.read(key)));
    }
    await source.close();
  }
  const { latentChannels } = generator.vae;
  const prior = unetConfig(
    {
      in_channels: latentChannels,
      out_channels: latentChannels,
      block_out_channels: [64, 96],
      down_block_types: ['DownBlock2D', 'DownBlock2D'],
      up_block_types: ['UpBlock2D', 'UpBlock2D'],
      mid_block_type: 'UNetMidBlock2D',
      layers_per_block: 1,
      norm_num_groups: 16,
    },
    'prior',
  );
  for (const [key, shape] of requiredByUnet(prior)) weights.set(`prior.${key}`, fresh(key, shape));
  return trainingConfig(
    { generator, prior, tokens: 1 },
    { ...paperSettings, batch, pixels, method: 'whole', parts: ['unet', 'vae-decoder'] },
  );
}

/** A layer as PyTorch begins with it, near enough; the last one at zero. */
function fresh(key: string, shape: readonly number[]): Float {
  const data = new Float32Array(elementCount(shape));
  if (shape.length === 1) data.fill(/norm.*weight$/.test(key) ? 1 : 0);
  else if (!key.startsWith('conv_out')) {
    fillNormal(new Random(Array.from({ length: key.length }, (_, i) => key.charCodeAt(i))), data);
    const deviation = 1 / Math.sqrt(elementCount(shape.slice(1)));
    for (let i = 0; i < data.length; i++) data[i]! *= deviation;
  }
  return tensor('float32', shape, data);
}

async function read(key: string): Promise<Float> {
  const weight = weights.get(key);
  if (!weight) throw new UsageError(`curves: expected a weight "${key}", got none.`);
  return await Promise.resolve(weight);
}

async function trainPrior(): Promise<void> {
  const plan = priorStep(config);
  const session = await trainingSession(plan.graph, read, tmpdir());
  const parameters = await initialParameters(plan.parameters.regularizer, 0, read, 'prior');
  const trainer = new Trainer(session, plan, config, parameters);
  const samples = openSamples({ files, crop: pixels, params: osediffParams, seed: 1 });
  for (let step = 0; step < priorSteps; step++) {
    const { xGt } = await pictures(samples);
    const report = await trainer.step([{ xGt, diff: noise(step, 7, 0, 1000) }], 1e-3);
    if (step % 50 === 0) console.error(`  ${step}: ${report.losses.diff!.toFixed(4)}`);
  }
  await samples.close();
  await session.release();
  for (const [name, value] of trainer.parameters) {
    weights.set(name.replace(/^reg\./, 'prior.'), value);
  }
}

/** The losses of every step, without factors. */
async function trainGenerator(vsd: number): Promise<Map<LossName, number[]>> {
  const factors = { ...config.factors, vsd };
  const own = { ...config, factors };
  const plan: Algorithm1 = algorithm1(own);
  const session = await trainingSession(plan.graph, read, tmpdir());
  const inputs = Object.values(plan.parameters).flat();
  const trainer = new Trainer(
    session,
    plan,
    own,
    await initialParameters(inputs, 0, read, 'prior'),
  );
  const samples = openSamples({ files, crop: pixels, params: osediffParams, seed: 2 });
  const losses = new Map<LossName, number[]>();
  for (let step = 0; step < steps; step++) {
    const { xL, xGt } = await pictures(samples);
    const both: Batch = { xL, xGt, vsd: noise(step, 8, 20, 980), diff: noise(step, 9, 0, 1000) };
    const report = await trainer.step([both], rate);
    for (const name of ['l2', 'perceptual', 'vsd', 'diff'] as const) {
      const factor = name === 'diff' ? 1 : factors[name];
      losses.set(name, [...(losses.get(name) ?? []), report.losses[name]! / factor]);
    }
    if (step % 20 === 0) console.error(`  ${step}: vsd ${losses.get('vsd')!.at(-1)!.toFixed(4)}`);
  }
  await samples.close();
  await session.release();
  return losses;
}

/** The next samples, in [-1, 1]. */
async function pictures(
  samples: ReturnType<typeof openSamples>,
): Promise<{ xL: Float; xGt: Float }> {
  const shape = [batch, 3, pixels, pixels];
  const [xL, xGt] = [new Float32Array(elementCount(shape)), new Float32Array(elementCount(shape))];
  for (let i = 0; i < batch; i++) {
    const { input, truth } = await samples.next();
    xL.set(
      input.data.map((v) => 2 * v - 1),
      i * input.data.length,
    );
    xGt.set(
      truth.data.map((v) => 2 * v - 1),
      i * truth.data.length,
    );
  }
  return { xL: tensor('float32', shape, xL), xGt: tensor('float32', shape, xGt) };
}

/** Timesteps in `[low, high)` and noise of a step. */
function noise(step: number, stream: number, low: number, high: number): Noise {
  const random = new Random([stream, step]);
  const timesteps = Array.from({ length: batch }, () => low + random.below(high - low));
  const edge = pixels / latentReduction(config.generator);
  const shape = [batch, config.generator.vae.latentChannels, edge, edge];
  const data = new Float32Array(elementCount(shape));
  fillNormal(random, data);
  return { timesteps, noise: float32(shape, data) };
}
