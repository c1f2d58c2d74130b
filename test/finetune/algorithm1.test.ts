/** @file The training graph in each of its variants: what it holds, trains and leaves alone. */
import type { Macro } from 'ava';
import test from 'ava';
import { algorithm1, type Trainee } from '../../src/finetune/algorithm1.ts';
import type { Algorithm1Config } from '../../src/finetune/algorithm1-config.ts';
import { ranksFor, unetModules, vaeDecoderModules } from '../../src/finetune/lora-modules.ts';
import { emit } from '../../src/graph/emit.ts';
import { requiredByUnet, requiredByVae } from '../../src/networks/required.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import { noise, type Run, smallConfig, smallGenerator, startRun, textlessUnet } from './small.ts';

const only = (factors: Partial<Algorithm1Config['factors']>): Algorithm1Config => ({
  ...smallConfig,
  factors: { l2: 0, perceptual: 0, vsd: 0, gan: 0, ...factors },
});

/** Which loss each is trained by. */
const objective = {
  generator: 'total',
  regularizer: 'diff',
  discriminator: 'discriminator',
} as const;

/**
 * The slope of a trainee's loss uphill, against the loss itself a little to both sides.
 * (Distillation stops gradients on purpose: its loss moves otherwise than its gradient says.)
 */
const climbs: Macro<[Algorithm1Config, ...Trainee[]]> = test.macro(
  async (t, config, ...trainees: Trainee[]) => {
    t.timeout(300_000);
    const run = await startRun(config);
    for (const who of trainees) {
      const { slope, measured } = await uphill(run, who);
      t.true(slope > 0);
      t.true(Math.abs(measured - slope) < 0.03 * slope, `${who}: ${measured}, expected ${slope}`);
    }
    await run.session.release();
  },
);

async function uphill(
  { plan, trainer, batch }: Run,
  who: Trainee,
): Promise<{ slope: number; measured: number }> {
  const { gradients } = await trainer.gradients(batch);
  let slope = 0;
  const moves = plan.parameters[who].map(({ name, shape }, i) => {
    const gradient = gradients.get(name)!;
    const size = noise(shape as number[], i, 0.02).data;
    const along = gradient.map((g, k) => Math.abs(size[k]!) * Math.sign(g));
    gradient.forEach((g, k) => (slope += g * along[k]!));
    return { data: trainer.parameters.get(name)!.data, along };
  });
  const lossAt = async (far: number): Promise<number> => {
    const before = moves.map(({ data }) => data.slice());
    for (const { data, along } of moves) along.forEach((d, k) => (data[k]! += far * d));
    const { losses } = await trainer.gradients(batch);
    moves.forEach(({ data }, i) => data.set(before[i]!));
    return losses.get(objective[who])!;
  };
  const h = 2e-4;
  const near = (await lossAt(h)) - (await lossAt(-h));
  const far = (await lossAt(2 * h)) - (await lossAt(-2 * h));
  return { slope, measured: (8 * near - far) / (12 * h) };
}

const dataLosses = only({ l2: 1, perceptual: 2 });
test('data losses train every LoRA and conv_in', climbs, dataLosses, 'generator');
test('a regularizer learns to predict the noise', climbs, smallConfig, 'regularizer');
const whole = { ...smallConfig, regularizer: 'all' as const };
test('a regularizer may be trained as a whole', climbs, whole, 'regularizer');
const gan = only({ l2: 1, gan: 0.5 });
test('a discriminator may judge instead', climbs, gan, 'generator', 'discriminator');
const everything = {
  ...only({ l2: 1 }),
  ranks: new Map(),
  trained: (key: string) => /^(unet|vae)\./.test(key),
};
test('a generator may be trained as a whole', climbs, everything, 'generator');
const sampled = { ...only({ l2: 1 }), samplePosterior: true };
test('the posterior may be sampled', climbs, sampled, 'generator');
const decoder = {
  ...only({ l2: 1 }),
  ranks: ranksFor(vaeDecoderModules(requiredByVae(smallGenerator.vae)), 2),
  trained: () => false,
};
test('LoRA may be on the decoder', climbs, decoder, 'generator');
const recomputed = { ...smallConfig, recompute: { segmentBytes: 50_000, keepProducts: true } };
test('segments may be recomputed', climbs, recomputed, 'regularizer');

test('distillation in latent space pushes z_H, and nothing else', async (t) => {
  const { plan, trainer, session, batch } = await startRun(only({ vsd: 1 }));
  const { losses, gradients } = await trainer.gradients(batch);
  t.deepEqual([...losses.keys()], ['vsd', 'total', 'diff']);
  const trained = plan.parameters.generator.map(({ name }) => name);
  t.true(trained.every((name) => gradients.get(name)!.some((g) => g !== 0)));
  t.true(trained.includes('unet.conv_in.weight'));
  // The decoder has no part in it, so it is not even in the model.
  const { weights } = emit(plan.graph, { file: 'weights' });
  t.false(weights.some(({ weight }) => weight.name.startsWith('vae.decoder')));
  await session.release();
});

test('distillation of the picture passes the frozen encoder', async (t) => {
  const { session, trainer, batch } = await startRun({ ...only({ vsd: 1 }), vsdDomain: 'image' });
  const { losses } = await trainer.gradients(batch);
  t.true(losses.get('vsd')! > 0 && Number.isFinite(losses.get('vsd')));
  await session.release();
});

test('a prior and a generator that are different networks, without text', async (t) => {
  const config = {
    ...smallConfig,
    generator: { ...smallGenerator, unet: textlessUnet },
    prior: { ...textlessUnet, blockOutChannels: [6, 6] },
    ranks: new Map(),
    regularizer: 'all' as const,
    trained: (key: string) => /^(unet|vae\.decoder)\./.test(key),
  };
  const { plan, session, trainer, batch } = await startRun(config);
  const report = await trainer.step([batch], 1e-3);
  t.true(report.finite);
  t.true(plan.parameters.regularizer.some(({ name }) => name === 'reg.conv_in.weight'));
  t.false(plan.graph.inputs.some(({ name }) => name.includes('text')));
  await session.release();
});

test('three roles hold the weights of the UNet once', (t) => {
  const { graph } = algorithm1(smallConfig);
  const required = requiredByUnet(smallGenerator.unet);
  const count = new Map<string, number>();
  for (const { weight } of graph.weights.values()) {
    for (const { key } of weight!.sources) count.set(key, (count.get(key) ?? 0) + 1);
  }
  for (const key of required.keys()) {
    // As it is, turned for matrix products, and turned back for gradients; never a copy for a role.
    const forms = key.startsWith('conv_in.') ? 1 : 3;
    t.true(count.get(`unet.${key}`)! <= forms, `${key}: ${count.get(`unet.${key}`)}`);
  }
});

test('the regularizer has its own LoRA, and the original conv_in', (t) => {
  const { graph, parameters } = algorithm1(smallConfig);
  t.true(graph.weights.has('frozen.unet.conv_in.weight'));
  t.is(parameters.regularizer.length, 2 * unetModules(requiredByUnet(smallGenerator.unet)).length);
  t.true(parameters.regularizer.every(({ name }) => /^reg\..+\.lora_[AB]\./.test(name)));
  t.true(parameters.generator.some(({ name }) => name === 'unet.conv_in.bias'));
});

test('nothing to train is refused', (t) => {
  t.throws(() => algorithm1({ ...only({ l2: 1 }), ranks: new Map(), trained: () => false }), {
    instanceOf: UsageError,
  });
  t.throws(() => algorithm1(only({})), { instanceOf: UsageError, message: /expected a loss/ });
});
