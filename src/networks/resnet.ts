/** @file Residual block of the VAE and the UNet (diffusers ResnetBlock2D). */
import { add, cast } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { conv } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { column, groupNorm } from '../nn/norm.ts';
import { activation } from '../nn/activation.ts';
import { timeBias, type Timestep } from './timestep.ts';

/** What a family of blocks has in common. */
export interface BlockStyle {
  /** Groups of the group norms; 0 where statistics were fixed after training and folded away. */
  readonly groups: number;
  readonly epsilon: number;
  readonly activation: string;
  /** Takes the place of group normalisation, where statistics span more than one tensor. */
  readonly normalise?: typeof groupNorm;
}

/** A block's norm: group norm, or nothing where statistics are fixed (see {@link BlockStyle}). */
export function norm(s: Scope, x: Value, style: Omit<BlockStyle, 'activation'>): Value {
  const { groups, epsilon, normalise = groupNorm } = style;
  return groups === 0 ? x : normalise(s, x, { groups, epsilon });
}

/**
 * Residual block, with or without a timestep.
 *
 *     h = conv1(silu(norm1(x))) + W·silu(t)
 *     y = skip(x) + conv2(silu(norm2(h)))
 *
 * @param x features `[N, C, H, W]`
 * @param t time embedding, after its SiLU
 * @returns `[N, out, H, W]`
 */
export function resnetBlock(
  s: Scope,
  x: Value,
  out: number,
  style: BlockStyle,
  t?: Timestep,
): Value {
  const act = activation(style.activation, s.path);
  const h = act(norm(s.at('norm1'), x, style));
  const h1 = act(norm(s.at('norm2'), firstConv(s, h, out, t), style));
  const skip = x.shape[1] === out ? x : conv(s.at('conv_shortcut'), x, out, { kernel: 1 });
  return s.out(add(skip, conv(s.at('conv2'), h1, out, { kernel: 3 })));
}

function firstConv(s: Scope, h: Value, out: number, t?: Timestep): Value {
  if (t === undefined) return conv(s.at('conv1'), h, out, { kernel: 3 });
  if (t.kind === 'fixed') {
    return conv(s.at('conv1'), h, out, { kernel: 3, bias: timeBias(s, out, t) });
  }
  const bias = column(linear(s.at('time_emb_proj'), t.activated, out)); // [N, out, 1, 1]
  return add(conv(s.at('conv1'), h, out, { kernel: 3 }), cast(bias, h.dtype));
}
