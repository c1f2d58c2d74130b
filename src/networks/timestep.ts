/** @file The timestep's embedding: sinusoids, then a small MLP (Ho 2020; diffusers TimestepEmbedding). */
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { silu } from '../nn/activation.ts';
import { linear } from '../nn/linear.ts';
import { affineOf } from '../nn/recipes.ts';

/** A timestep that comes at run time, or one that is known while the graph is built. */
export type Timestep =
  | { readonly kind: 'given'; /** `[N, width]` after SiLU */ readonly activated: Value }
  | {
      readonly kind: 'fixed';
      readonly sinusoid: Float32Array;
      readonly width: number;
      /** of the UNet */ readonly root: Scope;
    };

export interface SinusoidOptions {
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
}

/**
 * Sinusoids of a timestep, rounded to float32 where PyTorch rounds.
 *
 * @returns `width` values, cosines first when `flipSinToCos`
 * @see diffusers get_timestep_embedding
 */
export function sinusoid(
  t: number,
  width: number,
  { flipSinToCos, freqShift }: SinusoidOptions,
): Float32Array {
  const half = width >> 1;
  const round = Math.fround;
  const out = new Float32Array(width);
  for (let i = 0; i < half; i++) {
    const exponent = round(round(-Math.log(10000) * i) / (half - freqShift));
    const angle = round(t * round(Math.exp(exponent)));
    out[flipSinToCos ? i : half + i] = Math.cos(angle);
    out[flipSinToCos ? half + i : i] = Math.sin(angle);
  }
  return out;
}

/** A timestep given at run time by its sinusoids `[N, channels]`. */
export function givenTimestep(s: Scope, sinusoids: Value, width: number): Timestep {
  const h = silu(linear(s.at('time_embedding', 'linear_1'), sinusoids, width));
  return { kind: 'given', activated: silu(linear(s.at('time_embedding', 'linear_2'), h, width)) };
}

/** A timestep fixed beforehand: nothing of its embedding is left in the graph. */
export function fixedTimestep(s: Scope, sinusoids: Float32Array, width: number): Timestep {
  return { kind: 'fixed', sinusoid: sinusoids, width, root: s.at('time_embedding') };
}

/** conv1's bias with the timestep's share folded in: `b + b_t + W·silu(MLP(sinusoid))`. */
export function timeBias(s: Scope, out: number, t: Timestep & { kind: 'fixed' }): Value {
  const { sinusoid: input, width, root } = t;
  const [one, two, own] = [root.at('linear_1'), root.at('linear_2'), s.at('time_emb_proj')];
  return s.at('conv1').derived(`bias@t`, {
    shape: [out],
    sources: [
      { key: one.key('weight'), shape: [width, input.length] },
      { key: one.key('bias'), shape: [width] },
      { key: two.key('weight'), shape: [width, width] },
      { key: two.key('bias'), shape: [width] },
      { key: own.key('weight'), shape: [out, width] },
      { key: own.key('bias'), shape: [out] },
      { key: s.at('conv1').key('bias'), shape: [out] },
    ],
    make: ([w1, b1, w2, b2, w, b, bias]) => {
      const h = affineOf(w1!, input, b1).data.map(siluOf);
      const embedding = affineOf(w2!, h, b2).data.map(siluOf);
      const share = affineOf(w!, embedding, b);
      return { ...share, data: share.data.map((value, i) => value + bias!.data[i]!) };
    },
  });
}

function siluOf(x: number): number {
  return x / (1 + Math.exp(-x));
}
