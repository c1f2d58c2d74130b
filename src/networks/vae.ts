/** @file KL-VAE of Stable Diffusion (Rombach 2022; diffusers AutoencoderKL). */
import { add, conv2d, pad, slice } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { activation } from '../nn/activation.ts';
import { attention } from '../nn/attention.ts';
import { conv, convGeometry } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { picture, tokensOf } from '../nn/tokens.ts';
import { upsampleConv } from '../nn/upsample.ts';
import { composed, affineOf, scaled } from '../nn/recipes.ts';
import { ConfigReader, type Json } from './config.ts';
import { type BlockStyle, norm, resnetBlock } from './resnet.ts';

export interface VaeConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  /** Channels at each level, from full size down; each level but the last halves the size. */
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: number;
  readonly midAttention: boolean;
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
  readonly scalingFactor: number;
  readonly style: BlockStyle;
}

/**
 * Reads `vae/config.json`.
 *
 * @param identityNorm group norms have fixed statistics that were folded away
 * @throws ConfigError for a variant that is not built
 */
export function vaeConfig(json: Json, where: string, identityNorm = false): VaeConfig {
  const c = new ConfigReader(json, where);
  const blockOutChannels = c.integers('block_out_channels');
  const levels = blockOutChannels.length;
  c.blocks('down_block_types', ['DownEncoderBlock2D'], levels);
  c.blocks('up_block_types', ['UpDecoderBlock2D'], levels);
  c.ignore('sample_size', 'force_upcast', 'mid_block_add_attention');
  c.fixed({ shift_factor: null, latents_mean: null, latents_std: null });
  const config: VaeConfig = {
    inChannels: c.integer('in_channels', 3),
    outChannels: c.integer('out_channels', 3),
    latentChannels: c.integer('latent_channels', 4),
    blockOutChannels,
    layersPerBlock: c.integer('layers_per_block', 1),
    midAttention: c.boolean('mid_block_add_attention', true),
    quantConv: c.boolean('use_quant_conv', true),
    postQuantConv: c.boolean('use_post_quant_conv', true),
    scalingFactor: c.number('scaling_factor', 0.18215),
    style: {
      groups: identityNorm ? (c.ignore('norm_num_groups'), 0) : c.integer('norm_num_groups', 32),
      epsilon: 1e-6,
      activation: c.string('act_fn', 'silu'),
    },
  };
  activation(config.style.activation, where);
  c.finish();
  return config;
}

/** How much smaller latents are than what the encoder takes: 8 for Stable Diffusion. */
export function vaeReduction({ blockOutChannels }: VaeConfig): number {
  return 2 ** (blockOutChannels.length - 1);
}

/**
 * Encoder up to its last convolution.
 *
 * @param x `[N, in, H, W]` in [-1, 1]
 * @returns features `[N, C, H/8, W/8]`, normalised and activated
 */
function encoderFeatures(s: Scope, x: Value, config: VaeConfig): Value {
  const { blockOutChannels: widths, layersPerBlock, style } = config;
  let h = conv(s.at('conv_in'), x, widths[0]!, { kernel: 3 });
  widths.forEach((width, level) => {
    const block = s.at('down_blocks', level);
    for (let i = 0; i < layersPerBlock; i++)
      h = resnetBlock(block.at('resnets', i), h, width, style);
    if (level < widths.length - 1) h = downsample(block.at('downsamplers', 0, 'conv'), h);
  });
  h = midBlock(s.at('mid_block'), h, config);
  return activation('silu', s.path)(norm(s.at('conv_norm_out'), h, style));
}

/**
 * Moments of the posterior, as diffusers has them.
 *
 * @returns mean and log-variance side by side, `[N, 2·latent, H/8, W/8]`, unscaled
 */
export function encodeMoments(s: Scope, x: Value, config: VaeConfig): Value {
  return quant(s, encodeBody(s, x, config), config);
}

/** The encoder without the 1x1 convolution after it. */
export function encodeBody(s: Scope, x: Value, config: VaeConfig): Value {
  const h = encoderFeatures(s.at('encoder'), x, config);
  return conv(s.at('encoder', 'conv_out'), h, 2 * config.latentChannels, { kernel: 3 });
}

/** The 1x1 convolution after the encoder, where the model has one. */
export function quant(s: Scope, moments: Value, config: VaeConfig): Value {
  if (!config.quantConv) return moments;
  return conv(s.at('quant_conv'), moments, 2 * config.latentChannels, { kernel: 1 });
}

/** The two halves of {@link encodeMoments}; the log-variance is clamped by whoever samples. */
export function splitMoments(moments: Value): { mean: Value; logvar: Value } {
  const latent = (moments.shape[1] as number) / 2;
  return { mean: slice(moments, 1, 0, latent), logvar: slice(moments, 1, latent, 2 * latent) };
}

/**
 * The posterior's mean times `factor`, with the last two convolutions and the factor in one.
 *
 * @returns `[N, latent, H/8, W/8]`
 */
export function encodeMean(s: Scope, x: Value, config: VaeConfig, factor: number): Value {
  const h = encoderFeatures(s.at('encoder'), x, config);
  const [latent, width] = [config.latentChannels, h.shape[1] as number];
  const [out, quant] = [s.at('encoder', 'conv_out'), s.at('quant_conv')];
  const bias = { key: out.key('bias'), shape: [2 * latent] };
  const weight = { key: out.key('weight'), shape: [2 * latent, width, 3, 3] };
  const quantWeight = { key: quant.key('weight'), shape: [2 * latent, 2 * latent, 1, 1] };
  const quantBias = { key: quant.key('bias'), shape: [2 * latent] };
  const firstHalf = (x: { data: Float32Array }, rest: readonly number[]) => ({
    dtype: 'float32' as const,
    shape: [latent, ...rest],
    data: x.data.slice(0, x.data.length / 2),
  });
  const w = out.derived('weight.mean', {
    shape: [latent, width, 3, 3],
    sources: config.quantConv ? [weight, quantWeight] : [weight],
    make: ([c, q]) =>
      q ? composed(q, c!, latent, factor) : scaled(firstHalf(c!, [width, 3, 3]), factor),
  });
  const b = out.derived('bias.mean', {
    shape: [latent],
    sources: config.quantConv ? [bias, quantWeight, quantBias] : [bias],
    make: ([c, q, qb]) => {
      if (!q) return scaled(firstHalf(c!, []), factor);
      const matrix = { ...q, shape: [2 * latent, 2 * latent] };
      return scaled(firstHalf(affineOf(matrix, c!.data, qb), []), factor);
    },
  });
  return conv2d(h, w, b, convGeometry({ kernel: 3 }));
}

/**
 * Decoder.
 *
 * @param z latents `[N, latent, h, w]`, unscaled
 * @returns `[N, out, 8h, 8w]`, in [-1, 1] but for overshoots
 */
export function decode(s: Scope, z: Value, config: VaeConfig): Value {
  return decodeBody(s, postQuant(s, z, config), config);
}

/** The 1x1 convolution before the decoder, where the model has one. */
export function postQuant(s: Scope, z: Value, config: VaeConfig): Value {
  if (!config.postQuantConv) return z;
  return conv(s.at('post_quant_conv'), z, config.latentChannels, { kernel: 1 });
}

/** The decoder without the 1x1 convolution before it. */
export function decodeBody(s: Scope, z: Value, config: VaeConfig): Value {
  const { blockOutChannels, layersPerBlock, style, outChannels } = config;
  const widths = [...blockOutChannels].reverse();
  const d = s.at('decoder');
  let h = conv(d.at('conv_in'), z, widths[0]!, { kernel: 3 });
  h = midBlock(d.at('mid_block'), h, config);
  widths.forEach((width, level) => {
    const block = d.at('up_blocks', level);
    for (let i = 0; i <= layersPerBlock; i++)
      h = resnetBlock(block.at('resnets', i), h, width, style);
    if (level < widths.length - 1) {
      h = upsampleConv(block.at('upsamplers', 0, 'conv'), h, width);
    }
  });
  const last = activation('silu', d.path)(norm(d.at('conv_norm_out'), h, style));
  return conv(d.at('conv_out'), last, outChannels, { kernel: 3 });
}

/** Halves the size; the padding lies right and below only. */
function downsample(s: Scope, x: Value): Value {
  const width = x.shape[1] as number;
  return conv(s, pad(x, [0, 0, 0, 0], [0, 0, 1, 1]), width, { kernel: 3, stride: 2, padding: 0 });
}

function midBlock(s: Scope, x: Value, { style, midAttention }: VaeConfig): Value {
  const width = x.shape[1] as number;
  let h = resnetBlock(s.at('resnets', 0), x, width, style);
  if (midAttention) h = attentionBlock(s.at('attentions', 0), h, style);
  return resnetBlock(s.at('resnets', 1), h, width, style);
}

/**
 * One-head self-attention over all pixels.
 *
 *     y = x + W_o·attention(q, k, v),   q, k, v from norm(x)
 */
function attentionBlock(s: Scope, x: Value, style: BlockStyle): Value {
  const width = x.shape[1] as number;
  const tokens = tokensOf(norm(s.at('group_norm'), x, style)); // [N, H·W, C]
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((name) => linear(s.at(name), tokens, width));
  const y = linear(s.at('to_out', 0), attention(q!, k!, v!, 1), width);
  return s.out(add(x, picture(y, x)));
}
