/** @file Group and layer normalisation. */
import { add, cast, div, mean, mul, reshape, reshapeLike, sqrt, sub } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { channelsFirst, channelsLast } from '../graph/layout.ts';
import type { Scope } from '../graph/scope.ts';
import { ShapeError } from '../tensor/errors.ts';
import { float32 } from '../tensor/tensor.ts';

export interface GroupNormOptions {
  groups: number;
  epsilon: number;
}

/**
 * Group normalisation (Wu & He 2018): over the channels of a group and all pixels,
 *
 *     y = γ·(x - mean) / sqrt(var + ε) + β
 *
 * as an instance normalisation of `[N, groups, C/groups·H·W]`, which every provider has, or, on CUDA,
 * in one operator.
 *
 * @param x `[N, C, H, W]` or `[N, C, L]`
 * @throws ShapeError when the channels do not divide into the groups.
 */
export function groupNorm(s: Scope, x: Value, { groups, epsilon }: GroupNormOptions): Value {
  const channels = x.shape[1] as number;
  if (channels % groups !== 0) {
    throw new ShapeError(`${s.path}: expected channels divisible by ${groups}, got ${channels}.`);
  }
  const { graph } = x;
  const { device, training } = graph.target;
  // CUDA's kernel takes pairs of channels.
  if (device === 'cuda' && !training && (channels / groups) % 2 === 0) {
    const [w, b] = [s.weight('weight', [channels]), s.weight('bias', [channels])];
    const attributes = { groups, epsilon, activation: 0, channels_last: 1 } as const;
    const y = graph.add('GroupNorm', [channelsLast(x), w, b], attributes, s.path);
    return s.out(channelsFirst(y));
  }
  if (x.dtype === 'float16') {
    // Sums of squares overflow in float16.
    return s.out(cast(groupNorm(s, cast(x, 'float32'), { groups, epsilon }), 'float16'));
  }
  if (device === 'webgpu') {
    const normal = reshapeLike(standardised(reshape(x, [x.shape[0]!, groups, -1]), epsilon), x);
    const [w, b] = [s.weight('weight', [channels]), s.weight('bias', [channels])];
    return s.out(add(mul(normal, column(w)), column(b)));
  }
  const one = graph.constant(
    float32(
      [groups],
      Array.from({ length: groups }, () => 1),
    ),
  );
  const zero = graph.constant(
    float32(
      [groups],
      Array.from({ length: groups }, () => 0),
    ),
  );
  const grouped = reshape(x, [x.shape[0]!, groups, -1]);
  const normal = graph.add('InstanceNormalization', [grouped, one, zero], { epsilon }, s.path);
  const y = reshapeLike(normal, x);
  const [w, b] = [s.weight('weight', [channels]), s.weight('bias', [channels])];
  return s.out(add(mul(y, column(w)), column(b)));
}

/**
 * Rows with mean 0 and variance 1, from deviations: WebGPU's InstanceNormalization takes the variance as
 * the difference of two large numbers, and is off by 1e-3 where the mean is large.
 */
function standardised(rows: Value, epsilon: number): Value {
  const deviation = sub(rows, mean(rows, [2]));
  return div(deviation, sqrt(add(mean(mul(deviation, deviation), [2]), epsilon)));
}

/** Layer normalisation (Ba 2016) over the last axis. @param x `[..., C]` */
export function layerNorm(s: Scope, x: Value, epsilon: number): Value {
  const channels = x.shape.at(-1) as number;
  const [w, b] = [s.weight('weight', [channels]), s.weight('bias', [channels])];
  // CUDA's kernel sums in float32 whatever it is given.
  const wide = x.graph.target.device === 'cuda' ? x : cast(x, 'float32');
  const inputs = [wide, cast(w, wide.dtype), cast(b, wide.dtype)];
  const y = x.graph.add('LayerNormalization', inputs, { axis: -1, epsilon }, s.path);
  return s.out(cast(y, x.dtype));
}

/** A vector `[C]` or rows `[N, C]` as `[C, 1, 1]` or `[N, C, 1, 1]`, to go with features. */
export function column(x: Value): Value {
  return reshape(x, [...x.shape, 1, 1]);
}
