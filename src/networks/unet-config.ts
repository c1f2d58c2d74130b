/** @file Reads `unet/config.json` of SD 1.x and 2.x and of models of the same class. */
import { activation } from '../nn/activation.ts';
import { ConfigError } from '../tensor/errors.ts';
import { ConfigReader, type Json } from './config.ts';
import type { BlockStyle } from './resnet.ts';
import type { SinusoidOptions } from './timestep.ts';

export interface UnetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly blockOutChannels: readonly number[];
  /** Whether each level, from full size down, attends to the text. */
  readonly downAttention: readonly boolean[];
  /** The same from the smallest size up. */
  readonly upAttention: readonly boolean[];
  readonly mid: 'UNetMidBlock2DCrossAttn' | 'UNetMidBlock2D' | null;
  readonly layersPerBlock: readonly number[];
  readonly heads: readonly number[];
  readonly transformerLayers: readonly number[];
  readonly crossAttentionDim: number;
  readonly linearProjection: boolean;
  readonly sinusoid: SinusoidOptions;
  readonly style: BlockStyle;
}

/**
 * @param identityNorm group norms have fixed statistics that were folded away
 * @throws ConfigError for a variant that is not built
 */
export function unetConfig(json: Json, where: string, identityNorm = false): UnetConfig {
  const c = new ConfigReader(json, where);
  const blockOutChannels = c.integers('block_out_channels');
  const levels = blockOutChannels.length;
  const down = c.blocks('down_block_types', ['CrossAttnDownBlock2D', 'DownBlock2D'], levels);
  const up = c.blocks('up_block_types', ['CrossAttnUpBlock2D', 'UpBlock2D'], levels);
  c.ignore('sample_size', 'attention_type', 'addition_embed_type_num_heads', 'dropout');
  // Attention in float32 is a matter of precision, which the caller chooses.
  c.ignore('upcast_attention');
  c.fixed(onlyThese);
  // diffusers calls the number of heads attention_head_dim, a misnomer it keeps for old files.
  const headsKey =
    json['num_attention_heads'] == null ? 'attention_head_dim' : 'num_attention_heads';
  c.ignore('attention_head_dim', 'num_attention_heads', 'mid_block_type', 'norm_num_groups');
  const config: UnetConfig = {
    inChannels: c.integer('in_channels', 4),
    outChannels: c.integer('out_channels', 4),
    blockOutChannels,
    downAttention: down.map((name) => name === 'CrossAttnDownBlock2D'),
    upAttention: up.map((name) => name === 'CrossAttnUpBlock2D'),
    mid: midBlock(c, json),
    layersPerBlock: c.integers('layers_per_block', levels, 2),
    heads: c.integers(headsKey, levels, 8),
    transformerLayers: c.integers('transformer_layers_per_block', levels, 1),
    crossAttentionDim: c.integer('cross_attention_dim', 1280),
    linearProjection: c.boolean('use_linear_projection', false),
    sinusoid: {
      flipSinToCos: c.boolean('flip_sin_to_cos', true),
      freqShift: c.number('freq_shift', 0),
    },
    style: {
      groups: identityNorm ? 0 : c.integer('norm_num_groups', 32),
      epsilon: c.number('norm_eps', 1e-5),
      activation: c.string('act_fn', 'silu'),
    },
  };
  activation(config.style.activation, where);
  checkHeads(config, headsKey, where);
  c.finish();
  return config;
}

/** diffusers would round the width of a head down, and project to fewer channels. */
function checkHeads(
  { blockOutChannels: widths, heads, downAttention, upAttention, mid }: UnetConfig,
  key: string,
  where: string,
): void {
  widths.forEach((width, level) => {
    const middle = level === widths.length - 1 && mid === 'UNetMidBlock2DCrossAttn';
    const attends = downAttention[level] || upAttention.at(-1 - level) || middle;
    const rest = width % heads[level]!;
    if (!attends || rest === 0) return;
    throw new ConfigError(
      `${where}: expected "${key}" to divide the ${width} channels of its block, got ${heads[level]}. This variant is not built.`,
    );
  });
}

function midBlock(c: ConfigReader, json: Json): UnetConfig['mid'] {
  if (json['mid_block_type'] === null) return null;
  const kinds = ['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D'] as const;
  return c.oneOf('mid_block_type', kinds, 'UNetMidBlock2DCrossAttn');
}

/** What other models of the class switch on, and this one does not build. */
const onlyThese: Json = {
  addition_embed_type: null,
  addition_time_embed_dim: null,
  center_input_sample: false,
  class_embed_type: null,
  class_embeddings_concat: false,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
  cross_attention_norm: null,
  downsample_padding: 1,
  dual_cross_attention: false,
  encoder_hid_dim: null,
  encoder_hid_dim_type: null,
  mid_block_only_cross_attention: null,
  mid_block_scale_factor: 1,
  num_class_embeds: null,
  only_cross_attention: false,
  projection_class_embeddings_input_dim: null,
  resnet_out_scale_factor: 1,
  resnet_skip_time_act: false,
  resnet_time_scale_shift: 'default',
  reverse_transformer_layers_per_block: null,
  time_cond_proj_dim: null,
  time_embedding_act_fn: null,
  time_embedding_dim: null,
  time_embedding_type: 'positional',
  timestep_post_act: null,
};
