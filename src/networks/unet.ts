/** @file Denoising UNet of Stable Diffusion (Rombach 2022; diffusers UNet2DConditionModel). */
import { mapDim } from '../graph/dims.ts';
import { concat, resizeNearest } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { activation } from '../nn/activation.ts';
import { conv } from '../nn/conv.ts';
import { upsampleConv } from '../nn/upsample.ts';
import { float32 } from '../tensor/tensor.ts';
import { norm, resnetBlock } from './resnet.ts';
import { fixedTimestep, givenTimestep, sinusoid, type Timestep } from './timestep.ts';
import { spatialTransformer, type TextContext } from './transformer.ts';
import type { UnetConfig } from './unet-config.ts';

/** The timestep of a call: known while building, or the sinusoids `[N, C]` of one given later. */
export type TimestepInput = number | Value;

/**
 * The noise in `z` at timestep `t`.
 *
 * @param s scope `unet`
 * @param z noisy latents `[N, in, h, w]`, any size
 * @param text where the text's keys and values come from
 * @returns `[N, out, h, w]`
 */
export function unet(
  s: Scope,
  z: Value,
  t: TimestepInput,
  text: TextContext,
  config: UnetConfig,
): Value {
  const { blockOutChannels: widths, style } = config;
  const time = embedTimestep(s, t, config);
  let h = conv(s.at('conv_in'), z, widths[0]!, { kernel: 3 });
  const skips = [h];
  widths.forEach((width, level) => {
    h = downBlock(s.at('down_blocks', level), h, width, level, { time, text, config, skips });
  });
  h = midBlock(s.at('mid_block'), h, { time, text, config, skips });
  [...widths].reverse().forEach((width, level) => {
    h = upBlock(s.at('up_blocks', level), h, width, level, { time, text, config, skips });
  });
  const last = activation(style.activation, s.path)(norm(s.at('conv_norm_out'), h, style));
  return conv(s.at('conv_out'), last, config.outChannels, { kernel: 3 });
}

interface Context {
  readonly time: Timestep;
  readonly text: TextContext;
  readonly config: UnetConfig;
  /** Features on the way down, to be joined on the way up. */
  readonly skips: Value[];
}

/** Channels of the time embedding. */
export function timeWidth({ blockOutChannels }: UnetConfig): number {
  return 4 * blockOutChannels[0]!;
}

function embedTimestep(s: Scope, t: TimestepInput, config: UnetConfig): Timestep {
  const width = timeWidth(config);
  if (typeof t !== 'number') return givenTimestep(s, t, width);
  const sinusoids = sinusoid(t, config.blockOutChannels[0]!, config.sinusoid);
  if (!s.graph.target.training) return fixedTimestep(s, sinusoids, width);
  // Whatever is folded away could not be trained.
  return givenTimestep(s, s.graph.constant(float32([1, sinusoids.length], sinusoids)), width);
}

/** Attention to the text at a level of the way down. */
function transformer(s: Scope, x: Value, level: number, { text, config }: Context): Value {
  return spatialTransformer(s, x, text, {
    heads: config.heads[level]!,
    layers: config.transformerLayers[level]!,
    groups: config.style.groups,
    linearProjection: config.linearProjection,
  });
}

function downBlock(s: Scope, x: Value, width: number, level: number, context: Context): Value {
  const { time, config, skips } = context;
  let h = x;
  for (let i = 0; i < config.layersPerBlock[level]!; i++) {
    h = resnetBlock(s.at('resnets', i), h, width, config.style, time);
    if (config.downAttention[level]) h = transformer(s.at('attentions', i), h, level, context);
    skips.push(h);
  }
  if (level < config.blockOutChannels.length - 1) {
    h = conv(s.at('downsamplers', 0, 'conv'), h, width, { kernel: 3, stride: 2 });
    skips.push(h);
  }
  return h;
}

function midBlock(s: Scope, x: Value, context: Context): Value {
  const { time, config } = context;
  if (config.mid === null) return x;
  const width = x.shape[1] as number;
  const h = resnetBlock(s.at('resnets', 0), x, width, config.style, time);
  if (config.mid === 'UNetMidBlock2D') return h;
  const h1 = transformer(s.at('attentions', 0), h, config.heads.length - 1, context);
  return resnetBlock(s.at('resnets', 1), h1, width, config.style, time);
}

function upBlock(s: Scope, x: Value, width: number, level: number, context: Context): Value {
  const { time, config, skips } = context;
  const down = config.blockOutChannels.length - 1 - level;
  let h = x;
  for (let i = 0; i <= config.layersPerBlock[down]!; i++) {
    h = concat([h, skips.pop()!], 1);
    h = resnetBlock(s.at('resnets', i), h, width, config.style, time);
    if (config.upAttention[level]) h = transformer(s.at('attentions', i), h, down, context);
  }
  if (down === 0) return h;
  return upsampleTo(s.at('upsamplers', 0, 'conv'), h, skips.at(-1)!, width);
}

/** Twice the size, or one less where the way down rounded up. */
function upsampleTo(s: Scope, x: Value, like: Value, width: number): Value {
  const [height, breadth] = like.shape.slice(2);
  const isTwice = [2, 3].every((axis) => mapDim(x.shape[axis]!, { mul: 2 }) === like.shape[axis]);
  if (isTwice) return upsampleConv(s, x, width);
  const resized = resizeNearest(x, height as number, breadth as number);
  return conv(s, resized, width, { kernel: 3 });
}
