/** @file What a user may choose about training; defaults are the paper's (Wu 2024, section 4.1). */
import type { GradientOptions } from '../autodiff/backward.ts';
import type { GeneratorConfig } from '../networks/osediff.ts';
import { patchDiscriminator70 } from '../networks/patch-discriminator.ts';
import { requiredByUnet, requiredByVae } from '../networks/required.ts';
import type { UnetConfig } from '../networks/unet-config.ts';
import type { VggWidths } from '../networks/vgg-lpips.ts';
import type { Algorithm1Config, LossFactors } from './algorithm1-config.ts';
import {
  adapterName,
  type Ranks,
  ranksFor,
  unetModules,
  vaeDecoderModules,
  vaeEncoderModules,
} from './lora-modules.ts';

/** Parts of the generator that can be trained. */
export type TrainedPart = 'unet' | 'vae-encoder' | 'vae-decoder';

export interface TrainingSettings {
  /** Pictures at a time, and their edge in pixels. */
  readonly batch: number;
  readonly pixels: number;
  /** Factors of the losses: without distillation `vsd` is 0, with a GAN loss instead `gan` is not. */
  readonly factors: LossFactors;
  /** Where distillation looks. */
  readonly vsdDomain: 'latent' | 'image';
  /** Classifier-free guidance of the prior. */
  readonly guidance: number;
  /** Ranks of LoRA, apart for the UNet, which the regularizer's is like, and the VAE. */
  readonly rankUnet: number;
  readonly rankVae: number;
  /** The scale of a LoRA is alpha / rank. */
  readonly alpha: number;
  /** What has LoRA. With the UNet, its first convolution is trained as a whole too. */
  readonly parts: readonly TrainedPart[];
  /** `lora`, or all weights of the parts and, as its own, of the regularizer: for small models. */
  readonly method: 'lora' | 'whole';
  /** Draws z_L from the posterior as the official program does; its mean by default. */
  readonly samplePosterior: boolean;
  /** Only the middle of the regularizer's LoRA is switched on, as in the official program. */
  readonly asPublished: boolean;
  readonly recompute: Pick<GradientOptions, 'segmentBytes' | 'keepProducts'>;
}

export const paperSettings: TrainingSettings = {
  batch: 1,
  pixels: 512,
  factors: { l2: 1, perceptual: 2, vsd: 1, gan: 0 },
  vsdDomain: 'latent',
  guidance: 7.5,
  rankUnet: 4,
  rankVae: 4,
  alpha: 8,
  parts: ['unet', 'vae-encoder'],
  method: 'lora',
  samplePosterior: false,
  asPublished: false,
  recompute: {},
};

/** What training works on. */
export interface TrainingBase {
  readonly generator: GeneratorConfig;
  /** A prior that is a network of its own. */
  readonly prior?: UnetConfig | undefined;
  /** Channels of the VGG16 whose weights are there for LPIPS; bands of detail stand in without. */
  readonly vgg?: VggWidths | undefined;
  /** Tokens of a prompt. */
  readonly tokens: number;
}

/** The training graph's config for a base and settings. */
export function trainingConfig(base: TrainingBase, settings: TrainingSettings): Algorithm1Config {
  const { generator, prior, vgg, tokens } = base;
  const { batch, pixels, factors, vsdDomain, guidance, samplePosterior, recompute } = settings;
  const whole = settings.method === 'whole';
  return {
    generator,
    ...(prior ? { prior } : {}),
    batch,
    height: pixels,
    width: pixels,
    tokens,
    factors,
    perceptual: vgg ? { kind: 'lpips', widths: vgg } : { kind: 'bands' },
    vsdDomain,
    guidance,
    discriminator: patchDiscriminator70,
    ranks: whole ? new Map() : generatorRanks(generator, settings),
    regularizer: whole ? 'all' : regularizerRanks(prior ?? generator.unet, settings),
    trained: (key) => isTrained(key, settings),
    samplePosterior,
    recompute,
  };
}

function generatorRanks(
  { unet, vae }: GeneratorConfig,
  { parts, rankUnet, rankVae, alpha }: TrainingSettings,
): Ranks {
  const ofVae = requiredByVae(vae);
  const ranks = {
    unet: () => ranksFor(unetModules(requiredByUnet(unet)), rankUnet, alpha),
    'vae-encoder': () => ranksFor(vaeEncoderModules(ofVae), rankVae, alpha),
    'vae-decoder': () => ranksFor(vaeDecoderModules(ofVae), rankVae, alpha),
  };
  return new Map(parts.flatMap((part) => [...ranks[part]()]));
}

function regularizerRanks(prior: UnetConfig, settings: TrainingSettings): Ranks {
  const { rankUnet, alpha, asPublished } = settings;
  const modules = unetModules(requiredByUnet(prior));
  const active = asPublished
    ? modules.filter((path) => adapterName(path) === 'default_others')
    : modules;
  return ranksFor(active, rankUnet, alpha);
}

/** Whether a weight of the generator is trained as a whole. */
function isTrained(key: string, { method, parts }: TrainingSettings): boolean {
  if (method === 'lora')
    return parts.includes('unet') && /^unet\.conv_in\.(weight|bias)$/.test(key);
  const [part] = /^(?:unet|vae\.(?:encoder|quant_conv|decoder|post_quant_conv))\b/.exec(key) ?? [];
  const owners: Readonly<Record<string, TrainedPart>> = {
    unet: 'unet',
    'vae.encoder': 'vae-encoder',
    'vae.quant_conv': 'vae-encoder',
    'vae.decoder': 'vae-decoder',
    'vae.post_quant_conv': 'vae-decoder',
  };
  return part !== undefined && parts.includes(owners[part]!);
}
