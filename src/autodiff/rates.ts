/** @file Learning rates over the steps of a training run. */
import { UsageError } from '../tensor/errors.ts';

export interface RateOptions {
  /** The learning rate after the warm-up. */
  readonly rate: number;
  /** Constant, or falling to 0 at the last step along half a cosine (Loshchilov & Hutter 2017). */
  readonly schedule?: 'constant' | 'cosine';
  /** Steps over which the rate rises evenly from 0. */
  readonly warmup?: number;
  /** How many steps the cosine has in all. */
  readonly steps?: number;
}

/**
 * The learning rate of a step.
 *
 * @param step 0 for the first; with a warm-up of w steps its rate is `rate / w`
 * @throws UsageError when a cosine has no length
 */
export function rateAt(step: number, options: RateOptions): number {
  const { rate, schedule = 'constant', warmup = 0, steps } = options;
  if (step < warmup) return (rate * (step + 1)) / warmup;
  if (schedule === 'constant') return rate;
  if (steps === undefined || steps <= warmup) {
    throw new UsageError(
      `rates: expected more steps than the ${warmup} of the warm-up for a cosine, got ${steps}.`,
    );
  }
  const done = Math.min(1, (step - warmup) / (steps - warmup));
  return (rate * (1 + Math.cos(Math.PI * done))) / 2;
}
