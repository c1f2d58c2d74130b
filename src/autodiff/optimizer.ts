/** @file AdamW (Loshchilov & Hutter 2019) and clipping by the global norm, on plain typed arrays. */
import { WeightError } from '../tensor/errors.ts';

/** Parameters or gradients by name. Parameters are updated in place. */
export type Arrays = ReadonlyMap<string, Float32Array>;

export interface AdamWOptions {
  readonly betas?: readonly [number, number];
  /** Share of a parameter, times the learning rate, that it loses at each step. */
  readonly weightDecay?: number;
  readonly epsilon?: number;
}

/** What has to be kept to go on after a break. */
export interface AdamState {
  step: number;
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

/**
 *     p = p·(1 - lr·decay)
 *     m = β₁·m + (1 - β₁)·g        v = β₂·v + (1 - β₂)·g²
 *     p = p - lr / (1 - β₁ᵗ) · m / (sqrt(v) / sqrt(1 - β₂ᵗ) + ε)
 *
 * Defaults are PyTorch's. State begins at zero when a parameter is first seen.
 */
export class AdamW {
  /** By parameter; may be filled before the first step, to go on from a checkpoint. */
  readonly state: Map<string, AdamState> = new Map();
  readonly #options: Required<AdamWOptions>;

  constructor({ betas = [0.9, 0.999], weightDecay = 1e-2, epsilon = 1e-8 }: AdamWOptions = {}) {
    this.#options = { betas, weightDecay, epsilon };
  }

  /**
   * One step.
   *
   * @param names which parameters, all by default; one that is named twice is stepped twice
   * @throws WeightError when a parameter has no gradient, or one of another length
   */
  step(parameters: Arrays, gradients: Arrays, rate: number, names?: readonly string[]): void {
    for (const name of names ?? parameters.keys()) {
      const [p, g] = [parameters.get(name), gradients.get(name)];
      if (!p || g?.length !== p.length) {
        throw new WeightError(
          `AdamW: expected a gradient of "${name}" with ${p?.length ?? 'its'} elements, got ${g?.length ?? 'none'}.`,
        );
      }
      this.#update(this.#stateOf(name, p.length), p, g, rate);
    }
  }

  #stateOf(name: string, length: number): AdamState {
    const known = this.state.get(name);
    if (known) return known;
    const fresh = { step: 0, mean: new Float32Array(length), square: new Float32Array(length) };
    this.state.set(name, fresh);
    return fresh;
  }

  #update(state: AdamState, p: Float32Array, g: Float32Array, rate: number): void {
    const { betas, weightDecay, epsilon } = this.#options;
    const [b1, b2] = betas;
    const { mean, square } = state;
    state.step += 1;
    const size = rate / (1 - b1 ** state.step);
    const root = Math.sqrt(1 - b2 ** state.step);
    const kept = 1 - rate * weightDecay;
    for (let i = 0; i < p.length; i++) {
      const gradient = g[i]!;
      const m = (mean[i] = b1 * mean[i]! + (1 - b1) * gradient);
      const v = (square[i] = b2 * square[i]! + (1 - b2) * gradient * gradient);
      p[i] = p[i]! * kept - (size * m) / (Math.sqrt(v) / root + epsilon);
    }
  }
}

/** The Euclidean norm of all gradients together. @param names as in {@link AdamW.step} */
export function globalNorm(gradients: Arrays, names?: readonly string[]): number {
  let sum = 0;
  for (const name of names ?? gradients.keys()) {
    for (const value of gradients.get(name)!) sum += value * value;
  }
  return Math.sqrt(sum);
}

/**
 * Scales gradients, in place, so that their norm is at most `limit`, as PyTorch's `clip_grad_norm_`.
 *
 * @param names as in {@link AdamW.step}; one that is named twice is scaled twice
 * @returns the norm before
 */
export function clipNorm(gradients: Arrays, limit: number, names?: readonly string[]): number {
  const norm = globalNorm(gradients, names);
  const factor = limit / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (const name of names ?? gradients.keys()) {
    const gradient = gradients.get(name)!;
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  }
  return norm;
}

/** Adds gradients to a running sum, which begins as copies of the first. */
export function accumulate(sum: Map<string, Float32Array>, gradients: Arrays): void {
  for (const [name, gradient] of gradients) {
    const total = sum.get(name);
    if (!total) sum.set(name, gradient.slice());
    else for (let i = 0; i < total.length; i++) total[i]! += gradient[i]!;
  }
}

/** Multiplies every gradient, in place: by 1 / n after n accumulations. */
export function scale(gradients: Arrays, factor: number): void {
  for (const gradient of gradients.values()) {
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  }
}
