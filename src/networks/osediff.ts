/** @file The one-step generator of OSEDiff (Wu 2024, eqs 3 and 4): encode, one step, decode. */
import { add, cast, clamp, depthToSpace, exp, mul, spaceToDepth, sub } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { oneStep, type Schedule } from './schedule.ts';
import type { TextContext } from './transformer.ts';
import { unet } from './unet.ts';
import type { UnetConfig } from './unet-config.ts';
import {
  decode,
  encodeMean,
  encodeMoments,
  splitMoments,
  type VaeConfig,
  vaeReduction,
} from './vae.ts';

export interface GeneratorConfig {
  readonly vae: VaeConfig;
  readonly unet: UnetConfig;
  readonly schedule: Schedule;
  /** The timestep of the one step: 999 in the paper. */
  readonly timestep: number;
  /** Blocks of pixels moved into channels before the encoder and back after the decoder; 1 for none. */
  readonly spaceToDepth: number;
  /** Whether the decoder's picture is a correction that is added to the input. */
  readonly skip: boolean;
}

/** The generator's parts, each under the name that its weights have. */
export interface Scopes {
  readonly vae: Scope;
  readonly unet: Scope;
}

/** What the generator passes through on its way. */
export interface Generated {
  readonly zL: Value;
  readonly eps: Value;
  readonly zH: Value;
  readonly xH: Value;
}

/**
 * From the low-quality picture, already at its final size, to the high-quality one.
 *
 *     z_L = E(x_L)·s
 *     z_H = (z_L - sqrt(1 - ā)·eps) / sqrt(ā),   eps = UNet(z_L, T, text)
 *     x_H = D(z_H / s), clamped
 *
 * @param x `[N, 3, H, W]` RGB in [-1, 1]
 * @param noise `[N, latent, h, w]` standard normal: samples the posterior as the paper does; without
 *   it, the posterior's mean
 * @returns latents scaled by s; picture `[N, 3, H, W]` in [-1, 1]
 */
export function generator(
  { vae, unet: u }: Scopes,
  x: Value,
  text: TextContext,
  config: GeneratorConfig,
  noise?: Value,
): Generated {
  const zL = encodeLatents(vae, x, config, noise);
  const { half } = u.graph.target;
  const z = half ? cast(zL, 'float16') : zL;
  const eps = cast(unet(u, z, config.timestep, text, config.unet), 'float32');
  const zH = step(zL, eps, config);
  return { zL, eps, zH, xH: decodeLatents(vae, zH, x, config) };
}

/** Latents of a picture, scaled. See {@link generator}. */
export function encodeLatents(s: Scope, x: Value, config: GeneratorConfig, noise?: Value): Value {
  const { vae, spaceToDepth: block } = config;
  const pixels = block > 1 ? spaceToDepth(x, block) : x;
  // While training, the last convolutions stay apart, for each has parameters of its own.
  const folded = !noise && !s.graph.target.training;
  if (folded) return encodeMean(s, pixels, vae, vae.scalingFactor);
  const { mean, logvar } = splitMoments(encodeMoments(s, pixels, vae));
  if (!noise) return mul(mean, vae.scalingFactor);
  const deviation = exp(mul(clamp(logvar, -30, 20), 0.5));
  return mul(add(mean, mul(deviation, noise)), vae.scalingFactor);
}

/** The one step of the diffusion. */
export function step(zL: Value, eps: Value, { schedule, timestep }: GeneratorConfig): Value {
  const { signal, noise } = oneStep(schedule, timestep);
  const z = sub(mul(zL, signal), mul(eps, noise));
  return schedule.clip === undefined ? z : clamp(z, -schedule.clip, schedule.clip);
}

/**
 * The picture of scaled latents, clamped to [-1, 1].
 *
 * @param x the input picture, which models with a skip path add to
 */
export function decodeLatents(s: Scope, z: Value, x: Value, config: GeneratorConfig): Value {
  const { vae, spaceToDepth: block, skip } = config;
  const y = decode(s, mul(z, 1 / vae.scalingFactor), vae);
  const picture = block > 1 ? depthToSpace(y, block) : y;
  return clamp(skip ? add(x, picture) : picture, -1, 1);
}

/** Sizes of pictures must be multiples of this; latents are this much smaller. */
export function latentReduction({ vae, spaceToDepth: block }: GeneratorConfig): number {
  return vaeReduction(vae) * block;
}

/** Pictures of multiples of this size go through every level without rounding. */
export function evenReduction(config: GeneratorConfig): number {
  return latentReduction(config) * 2 ** (config.unet.blockOutChannels.length - 1);
}
