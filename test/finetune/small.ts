/** @file A model of a few thousand weights and a training graph on it, for tests of the parts. */
import type { Algorithm1Config } from '../../src/finetune/algorithm1-config.ts';
import { type Algorithm1, algorithm1, type StepPlan } from '../../src/finetune/algorithm1.ts';
import { initialParameters } from '../../src/finetune/initial.ts';
import { ranksFor, unetModules, vaeEncoderModules } from '../../src/finetune/lora-modules.ts';
import { type Batch, Trainer } from '../../src/finetune/step.ts';
import type { GeneratorConfig } from '../../src/networks/osediff.ts';
import { latentReduction } from '../../src/networks/osediff.ts';
import { requiredByUnet, requiredByVae } from '../../src/networks/required.ts';
import { alphasCumprod } from '../../src/networks/schedule.ts';
import { type UnetConfig, unetConfig } from '../../src/networks/unet-config.ts';
import { vaeConfig } from '../../src/networks/vae.ts';
import type { Session } from '../../src/runtime/session.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { graphSession } from '../helpers/run-graph.ts';

export const smallUnet: UnetConfig = unetConfig(
  {
    in_channels: 4,
    out_channels: 4,
    block_out_channels: [4, 8],
    down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
    layers_per_block: 1,
    attention_head_dim: 2,
    cross_attention_dim: 6,
    norm_num_groups: 2,
    use_linear_projection: true,
  },
  'unet/config.json',
);

/** The same without any text, as small models are. */
export const textlessUnet: UnetConfig = unetConfig(
  {
    in_channels: 4,
    out_channels: 4,
    block_out_channels: [4, 8],
    down_block_types: ['DownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'UpBlock2D'],
    mid_block_type: 'UNetMidBlock2D',
    layers_per_block: 1,
    norm_num_groups: 2,
  },
  'unet/config.json',
);

export const smallGenerator: GeneratorConfig = {
  unet: smallUnet,
  vae: vaeConfig(
    {
      block_out_channels: [4, 8],
      down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D'],
      up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D'],
      layers_per_block: 1,
      norm_num_groups: 2,
      scaling_factor: 0.5,
    },
    'vae/config.json',
  ),
  schedule: {
    alphasCumprod: alphasCumprod(1000, 0.00085, 0.012, 'scaled_linear'),
    clip: undefined,
  },
  timestep: 999,
  spaceToDepth: 1,
  skip: false,
};

const rank = 2;

/** LoRA on everything the official program puts it on; losses without trained weights. */
export const smallConfig: Algorithm1Config = {
  generator: smallGenerator,
  batch: 2,
  height: 40,
  width: 48,
  tokens: 3,
  factors: { l2: 1, perceptual: 2, vsd: 1, gan: 0 },
  perceptual: { kind: 'bands' },
  vsdDomain: 'latent',
  guidance: 7.5,
  discriminator: { widths: [4, 8, 8], groups: 2 },
  ranks: ranksFor(
    [
      ...unetModules(requiredByUnet(smallUnet)),
      ...vaeEncoderModules(requiredByVae(smallGenerator.vae)),
    ],
    rank,
  ),
  regularizer: ranksFor(unetModules(requiredByUnet(smallUnet)), rank),
  trained: (key) => key.startsWith('unet.conv_in.'),
  samplePosterior: false,
};

type Float = Tensor<'float32'>;

/** Numbers about zero, the same for the same seed. */
export function noise(shape: readonly number[], seed: number, size = 1): Float {
  const next = random(seed);
  const count = shape.reduce((product, n) => product * n, 1);
  const draw = (): number => size * (next() + next() + next() - 1.5) * 2;
  return float32(shape, Array.from({ length: count }, draw));
}

/** Weights drawn by their keys: about as large as training leaves them. */
export async function readRandom(key: string, shape: readonly number[]): Promise<Float> {
  const codes = Array.from({ length: key.length }, (_, i) => key.charCodeAt(i));
  const seed = codes.reduce((sum, code) => (sum * 31 + code) % 1_000_003, 7);
  if (shape.length === 1) {
    const base = /norm/.test(key) && key.endsWith('.weight') ? 1 : 0;
    const values = noise(shape, seed, 0.1);
    return await Promise.resolve({ ...values, data: values.data.map((v) => v + base) });
  }
  const fanIn = shape.slice(1).reduce((product, n) => product * n, 1);
  return noise(shape, seed, 1 / Math.sqrt(fanIn));
}

export interface Run<Plan extends StepPlan = Algorithm1> {
  readonly plan: Plan;
  readonly session: Session;
  readonly trainer: Trainer;
  readonly batch: Batch;
}

/** A training graph with random weights, LoRA that is not zero, and a batch for it. */
export async function startRun(config: Algorithm1Config): Promise<Run> {
  return startPlan(algorithm1(config), config, batchFor(config));
}

/** The same for any graph that trains. */
export async function startPlan<Plan extends StepPlan>(
  plan: Plan,
  config: Algorithm1Config,
  batch: Batch,
): Promise<Run<Plan>> {
  const weights = new Map<string, Float>();
  for (const { weight } of plan.graph.weights.values()) {
    for (const { key, shape } of weight!.sources) weights.set(key, await readRandom(key, shape));
  }
  const session = await graphSession(plan.graph, weights);
  const inputs = Object.values(plan.parameters).flat();
  const shapes = new Map(inputs.map(({ name, shape }) => [name, shape as readonly number[]]));
  const parameters = await initialParameters(
    inputs,
    1,
    (key) =>
      readRandom(key, shapes.get(key) ?? shapes.get(key.replace(/^(unet|prior)\./, 'reg.'))!),
    config.prior ? 'prior' : 'unet',
  );
  for (const [name, value] of parameters) {
    if (name.includes('.lora_B.')) value.data.set(noise(value.shape, 5, 0.1).data);
  }
  return {
    plan,
    session,
    trainer: new Trainer(session, plan, config, parameters),
    batch,
  };
}

/** A batch with everything that any graph may ask for; a graph takes what it has. */
export function batchFor(config: Algorithm1Config): Batch {
  const { batch, height, width, tokens, generator, prior, factors } = config;
  const reduction = latentReduction(generator);
  const latent = [batch, generator.vae.latentChannels, height / reduction, width / reduction];
  const picture = [batch, 3, height, width];
  const text = (seed: number): Float => noise([batch, tokens, smallUnet.crossAttentionDim], seed);
  const timesteps = Array.from({ length: batch }, (_, i) => 200 + 300 * i);
  const attends = (net: UnetConfig): boolean => net.downAttention.some(Boolean);
  const guidedNet = prior ?? generator.unet;
  const [own, other] = [attends(generator.unet), prior !== undefined && attends(prior)];
  const distils = factors.vsd !== 0;
  return {
    xL: noise(picture, 11, 0.4),
    xGt: noise(picture, 12, 0.4),
    ...(own ? { text: text(13) } : {}),
    ...(distils && !prior && attends(guidedNet) ? { negative: text(14) } : {}),
    ...(distils && other ? { priorText: text(15), priorNegative: text(16) } : {}),
    ...(distils
      ? {
          vsd: { timesteps, noise: noise(latent, 17) },
          diff: { timesteps: timesteps.map((t) => t + 50), noise: noise(latent, 18) },
        }
      : {}),
    ...(config.samplePosterior ? { posterior: noise(latent, 19) } : {}),
  };
}
