/** @file Noise schedule of the diffusion (Ho 2020), read from `scheduler/scheduler_config.json`. */
import { ConfigError } from '../tensor/errors.ts';
import { ConfigReader, type Json } from './config.ts';

export interface Schedule {
  /** Share of the signal's variance left at each timestep: the product of 1 - beta up to it, in float32. */
  readonly alphasCumprod: Float64Array;
  /** Whether the step clamps its result to [-range, range]. */
  readonly clip: number | undefined;
}

/**
 * Reads the schedule.
 *
 * @throws ConfigError for v-prediction, which is SD 2.1 at 768, and for other unbuilt variants.
 */
export function schedule(json: Json, where: string): Schedule {
  const c = new ConfigReader(json, where);
  const prediction = c.string('prediction_type', 'epsilon');
  if (prediction === 'v_prediction') {
    throw new ConfigError(
      `${where}: expected a base that predicts the noise ("epsilon"), got "v_prediction": this is SD 2.1, which has the same shapes as SD 2.1-base but another meaning. Import SD 2.1-base.`,
    );
  }
  if (prediction !== 'epsilon') {
    throw new ConfigError(
      `${where}: expected "prediction_type" to be "epsilon", got "${prediction}".`,
    );
  }
  c.fixed({ trained_betas: null, thresholding: false, rescale_betas_zero_snr: false });
  const steps = c.integer('num_train_timesteps', 1000);
  const [start, end] = [c.number('beta_start', 0.0001), c.number('beta_end', 0.02)];
  const kind = c.oneOf('beta_schedule', ['linear', 'scaled_linear'], 'linear');
  // diffusers' default where the key is absent is true for DDPM; other schedulers do not clip.
  const className = c.string('_class_name', 'DDPMScheduler');
  const clips = c.boolean('clip_sample', className === 'DDPMScheduler');
  return {
    alphasCumprod: alphasCumprod(steps, start, end, kind),
    clip: clips ? c.number('clip_sample_range', 1) : undefined,
  };
}

/**
 * Cumulative products of `1 - beta`, rounded to float32 where PyTorch rounds: that moves the one step
 * by 7e-7, which would else be the largest difference from the official code.
 *
 * @see torch.linspace (one fused multiply-add an element, from both ends), torch.cumprod (in double)
 */
export function alphasCumprod(
  steps: number,
  start: number,
  end: number,
  kind: 'linear' | 'scaled_linear',
): Float64Array {
  const round = Math.fround;
  const ends = [start, end].map((beta) => round(kind === 'linear' ? beta : Math.sqrt(beta)));
  const [from, to] = ends as [number, number];
  const stride = round(round(to - from) / (steps - 1));
  let product = 1;
  return Float64Array.from({ length: steps }, (_, i) => {
    const x = i < steps / 2 ? round(from + stride * i) : round(to - stride * (steps - 1 - i));
    product *= round(1 - (kind === 'linear' ? x : round(x * x)));
    return round(product);
  });
}

/** The one step's coefficients: `z_H = signal·z_L - noise·eps` at timestep `t`. */
export function oneStep(
  { alphasCumprod: alphas }: Schedule,
  t: number,
): { signal: number; noise: number } {
  const a = alphas[t]!;
  return { signal: 1 / Math.sqrt(a), noise: Math.sqrt((1 - a) / a) };
}
