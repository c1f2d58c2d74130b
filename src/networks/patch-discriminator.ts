/** @file Judges patches of pictures as real or made (PatchGAN: Isola 2017). */
import { conv2d, leakyRelu } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { groupNorm } from '../nn/norm.ts';

export interface DiscriminatorConfig {
  /** Channels after each halving of the size; the last level keeps the size. */
  readonly widths: readonly number[];
  /** Groups of the norms, which stand in for PatchGAN's batch norm: batches here are of one or two. */
  readonly groups: number;
}

/** PatchGAN's 70×70 patches. */
export const patchDiscriminator70: DiscriminatorConfig = {
  widths: [64, 128, 256, 512],
  groups: 32,
};

/**
 * One score a patch: 4×4 convolutions, the first without a norm, all but the last two halving the size.
 *
 * @param s scope, with keys `layers.<n>.weight`, `.bias` and `norms.<n>.weight`, `.bias`
 * @param x pictures `[N, 3, H, W]`, RGB in [-1, 1]
 * @returns scores `[N, 1, h, w]`, of any sign
 */
export function discriminate(s: Scope, x: Value, { widths, groups }: DiscriminatorConfig): Value {
  let h = x;
  widths.forEach((width, i) => {
    const stride = i < widths.length - 1 ? 2 : 1;
    h = convolution(s.at('layers', i), h, width, stride);
    if (i > 0) h = groupNorm(s.at('norms', i), h, { groups, epsilon: 1e-5 });
    h = leakyRelu(h, 0.2);
  });
  return convolution(s.at('layers', widths.length), h, 1, 1);
}

function convolution(s: Scope, x: Value, out: number, stride: number): Value {
  const w = s.weight('weight', [out, x.shape[1] as number, 4, 4]);
  const options = { strides: [stride, stride], pads: [1, 1, 1, 1] } as const;
  return conv2d(x, w, s.weight('bias', [out]), options);
}
