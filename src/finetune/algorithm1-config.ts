/** @file What a training graph is built for. Defaults, the paper's, are in settings.ts. */
import type { GradientOptions } from '../autodiff/backward.ts';
import type { GeneratorConfig } from '../networks/osediff.ts';
import type { DiscriminatorConfig } from '../networks/patch-discriminator.ts';
import type { UnetConfig } from '../networks/unet-config.ts';
import type { VggWidths } from '../networks/vgg-lpips.ts';
import type { Ranks } from './lora-modules.ts';

/** What the generator minimises is the sum of these, each by its factor; 0 leaves a loss out. */
export interface LossFactors {
  /** Mean squared error of the picture. */
  readonly l2: number;
  /** LPIPS, or its stand-in without trained weights. */
  readonly perceptual: number;
  /** Variational score distillation. */
  readonly vsd: number;
  /** A discriminator's judgement. */
  readonly gan: number;
}

/** LPIPS with weights under `lpips.`, of these channels; or bands of detail, without weights. */
export type Perceptual =
  { readonly kind: 'lpips'; readonly widths: VggWidths } | { readonly kind: 'bands' };

export interface Algorithm1Config {
  readonly generator: GeneratorConfig;
  /** The prior's network, where it is not the generator's own UNet. It sees the same latents. */
  readonly prior?: UnetConfig;
  readonly batch: number;
  /** In pixels: multiples of what the networks halve. */
  readonly height: number;
  readonly width: number;
  /** Tokens of a prompt: 77. */
  readonly tokens: number;
  readonly factors: LossFactors;
  readonly perceptual: Perceptual;
  /** Where distillation looks: at z_H, or at the picture, encoded again by the frozen encoder. */
  readonly vsdDomain: 'latent' | 'image';
  /** Classifier-free guidance of the prior. */
  readonly guidance: number;
  readonly discriminator: DiscriminatorConfig;
  /** LoRA on the generator, by module. */
  readonly ranks: Ranks;
  /** LoRA on the regularizer, by module of `unet.`; or all of its weights are trained. */
  readonly regularizer: Ranks | 'all';
  /** Weights of the generator that are trained as a whole: keys of `unet.` and `vae.`. */
  readonly trained: (key: string) => boolean;
  /** Draws z_L from the encoder's posterior, as the official program does, rather than its mean. */
  readonly samplePosterior: boolean;
  /** What is kept for gradients, and what is computed again. Everything is kept by default. */
  readonly recompute?: Pick<GradientOptions, 'segmentBytes' | 'keepProducts'>;
}
