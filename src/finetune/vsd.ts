/** @file Variational score distillation in latent space (Wu 2024, eqs 6 to 8; Wang 2023, ProlificDreamer). */
import {
  abs,
  add,
  concat,
  div,
  mean,
  meanAll,
  mul,
  slice,
  square,
  sub,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { stopGradient } from '../autodiff/order.ts';

/** A noisy version of latents: `z_t = signal·z + sigma·noise`, with signal² + sigma² = 1. */
export interface Diffused {
  /** `[N, C]`, the timesteps' sinusoids. */
  readonly sinusoids: Value;
  /** sqrt(ā_t) and sqrt(1 - ā_t), `[N, 1, 1, 1]` */
  readonly signal: Value;
  readonly sigma: Value;
  /** standard normal, of the latents' shape */
  readonly noise: Value;
}

/** `z_t`. */
export function diffuse(z: Value, { signal, sigma, noise }: Diffused): Value {
  return add(mul(z, signal), mul(noise, sigma));
}

/** The clean latents that a prediction of the noise in `z_t` stands for. */
export function cleanLatents(zt: Value, eps: Value, { signal, sigma }: Diffused): Value {
  return div(sub(zt, mul(eps, sigma)), signal);
}

/** Predicts the noise in latents of batch size N or 2N, with sinusoids and prompts of as many rows. */
export type Predict = (zt: Value, sinusoids: Value, text: Value | undefined) => Value;

/**
 * Classifier-free guidance, both halves in one call.
 *
 *     eps = eps(∅) + guidance·(eps(text) - eps(∅))
 *
 * @param negative what to be guided away from; without it, or without any text, there is one call
 */
export function guided(
  predict: Predict,
  zt: Value,
  sinusoids: Value,
  text: Value | undefined,
  negative: Value | undefined,
  guidance: number,
): Value {
  if (!text || !negative || guidance === 1) return predict(zt, sinusoids, text);
  const n = zt.shape[0] as number;
  const both = predict(
    concat([zt, zt], 0),
    concat([sinusoids, sinusoids], 0),
    concat([text, negative], 0),
  );
  const [toward, away] = [slice(both, 0, 0, n), slice(both, 0, n, 2 * n)];
  return add(away, mul(sub(toward, away), guidance));
}

/** The loss, and what it is made of. */
export interface Vsd {
  /** The latents, through which no gradient passes. */
  readonly still: Value;
  readonly zT: Value;
  readonly x0Fix: Value;
  readonly x0Update: Value;
  /** Mean of |z - x0_fix| of each sample, `[N, 1, 1, 1]`. */
  readonly weight: Value;
  /** What the latents are pushed against. */
  readonly push: Value;
  readonly loss: Value;
}

/**
 *     push = (x0_update - x0_fix) / mean|z - x0_fix|
 *     loss = mean (z - stop(z - push))²
 *
 * No gradient passes through either prediction: the loss's in z is 2·push / (elements of z).
 *
 * @param z the generator's latents `[N, 4, h, w]`, scaled
 * @param prior predicts the noise as pictures have it, guided
 * @param regularizer predicts the noise as the generator's pictures have it
 */
export function vsd(
  z: Value,
  at: Diffused,
  prior: (zt: Value) => Value,
  regularizer: (zt: Value) => Value,
): Vsd {
  const still = stopGradient(z);
  const zT = diffuse(still, at);
  const x0Fix = cleanLatents(zT, prior(zT), at);
  const x0Update = cleanLatents(zT, regularizer(zT), at);
  const weight = mean(abs(sub(still, x0Fix)), [1, 2, 3]);
  const push = div(sub(x0Update, x0Fix), weight);
  const target = stopGradient(sub(still, push));
  return { still, zT, x0Fix, x0Update, weight, push, loss: meanAll(square(sub(z, target))) };
}
