/** @file Config files: what is not built is refused by name, what does not matter is not. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { clipTextConfig } from '../../src/networks/clip-text.ts';
import type { Json } from '../../src/networks/config.ts';
import { type ModelJson, modelConfig } from '../../src/networks/model-config.ts';
import { schedule } from '../../src/networks/schedule.ts';
import { unetConfig } from '../../src/networks/unet-config.ts';
import { vaeConfig } from '../../src/networks/vae.ts';
import { ConfigError } from '../../src/tensor/errors.ts';

const models = new URL('../fixtures/tiny/models/', import.meta.url);

function json(path: string): Json {
  return JSON.parse(readFileSync(new URL(path, models), 'utf8')) as Json;
}

const readers = {
  unet: (config: Json) => unetConfig(config, 'unet/config.json'),
  vae: (config: Json) => vaeConfig(config, 'vae/config.json'),
  text_encoder: (config: Json) => clipTextConfig(config, 'text_encoder/config.json'),
  scheduler: (config: Json) => schedule(config, 'scheduler/scheduler_config.json'),
};

type Part = keyof typeof readers;

const file = (part: Part): string =>
  part === 'scheduler' ? 'scheduler/scheduler_config.json' : `${part}/config.json`;

const refuses = test.macro({
  title: (_, part: Part, changes: Json, _expected?: RegExp) =>
    `${part}: refuses ${JSON.stringify(changes)}`,
  exec(t, part: Part, changes: Json, expected?: RegExp) {
    const config = { ...json(`tiny/${file(part)}`), ...changes };
    const error = t.throws(() => readers[part](config), { instanceOf: ConfigError });
    t.true(error.message.startsWith(`${file(part)}: `), error.message);
    const [key] = Object.keys(changes);
    t.regex(error.message, expected ?? new RegExp(`"${key}"`));
    t.false(error.message.includes('\n'));
  },
});

const accepts = test.macro({
  title: (_, part: Part, changes: Json) => `${part}: accepts ${JSON.stringify(changes)}`,
  exec(t, part: Part, changes: Json, key: string, value: unknown) {
    const config = readers[part]({ ...json(`tiny/${file(part)}`), ...changes });
    t.deepEqual((config as unknown as Record<string, unknown>)[key], value);
  },
});

// What other models of the class have switched on.
test(refuses, 'unet', { class_embed_type: 'timestep' });
test(refuses, 'unet', { num_class_embeds: 10 });
test(refuses, 'unet', { addition_embed_type: 'text_time' });
test(refuses, 'unet', { encoder_hid_dim_type: 'text_proj' });
test(refuses, 'unet', { resnet_time_scale_shift: 'scale_shift' });
test(refuses, 'unet', { only_cross_attention: true });
test(refuses, 'unet', { dual_cross_attention: true });
test(refuses, 'unet', { center_input_sample: true });
test(refuses, 'unet', { time_embedding_type: 'fourier' });
test(refuses, 'unet', { timestep_post_act: 'silu' });
test(refuses, 'unet', { conv_in_kernel: 5 });
test(refuses, 'unet', { mid_block_scale_factor: 2 });
test(refuses, 'unet', { mid_block_type: 'UNetMidBlock2DSimpleCrossAttn' });
test(refuses, 'unet', { a_setting_of_tomorrow: true });
test(refuses, 'unet', { a_setting_of_tomorrow: 'x' }, /"a_setting_of_tomorrow" is "x", which/);
// Values that make no network.
test(refuses, 'unet', { block_out_channels: [] });
test(refuses, 'unet', { block_out_channels: [8, 8, 8] }, /"down_block_types" to be 3 of/);
test(refuses, 'unet', { block_out_channels: [8, 8, 8, 8.5] });
test(refuses, 'unet', { block_out_channels: 'wide' });
test(refuses, 'unet', { down_block_types: ['AttnDownBlock2D', 'x', 'y', 'z'] });
test(refuses, 'unet', { up_block_types: ['UpBlock2D'] });
test(refuses, 'unet', { layers_per_block: 0 });
test(refuses, 'unet', { layers_per_block: [1, 1] });
test(refuses, 'unet', { attention_head_dim: [1, 2] });
test(refuses, 'unet', { attention_head_dim: [1, 3, 4, 4] }, /"attention_head_dim" to divide the 8/);
test(refuses, 'unet', { num_attention_heads: 5 }, /"num_attention_heads" to divide the 8/);
test(refuses, 'unet', { cross_attention_dim: [16, 16, 16, 16] });
test(refuses, 'unet', { use_linear_projection: 'yes' });
test(refuses, 'unet', { act_fn: 'mish' }, /expected an activation of .*; got "mish"/);
test(refuses, 'unet', { norm_num_groups: -4 });

test(refuses, 'vae', { shift_factor: 0.1 });
test(refuses, 'vae', { latents_mean: [0, 0, 0, 0] });
test(refuses, 'vae', { down_block_types: ['AttnDownEncoderBlock2D', 'x', 'y', 'z'] });
test(refuses, 'vae', { up_block_types: ['UpDecoderBlock2D'] });
test(refuses, 'vae', { latent_channels: '4' });
test(refuses, 'vae', { scaling_factor: 'one' });
test(refuses, 'vae', { use_quant_conv: 1 });
test(refuses, 'vae', { act_fn: 'mish' }, /expected an activation/);
test(refuses, 'vae', { a_setting_of_tomorrow: 3 });

test(refuses, 'text_encoder', { hidden_act: 'gelu_fast' }, /expected an activation/);
test(refuses, 'text_encoder', { hidden_size: 0 });
test(refuses, 'text_encoder', { num_attention_heads: 3 });
test(refuses, 'text_encoder', { layer_norm_eps: null, num_attention_heads: 'two' }, /heads/);

test(refuses, 'scheduler', { prediction_type: 'v_prediction' }, /v_prediction.*SD 2\.1-base/);
test(refuses, 'scheduler', { prediction_type: 'sample' });
test(refuses, 'scheduler', { beta_schedule: 'squaredcos_cap_v2' });
test(refuses, 'scheduler', { rescale_betas_zero_snr: true });
test(refuses, 'scheduler', { thresholding: true });
test(refuses, 'scheduler', { trained_betas: [0.1] });

test(accepts, 'unet', { layers_per_block: [1, 2, 1, 2] }, 'layersPerBlock', [1, 2, 1, 2]);
test(accepts, 'unet', { attention_head_dim: 8 }, 'heads', [8, 8, 8, 8]);
test(accepts, 'unet', { num_attention_heads: [1, 1, 2, 2] }, 'heads', [1, 1, 2, 2]);
test(accepts, 'unet', { transformer_layers_per_block: 2 }, 'transformerLayers', [2, 2, 2, 2]);
test(accepts, 'unet', { mid_block_type: null }, 'mid', null);
test(accepts, 'unet', { sample_size: 96 }, 'inChannels', 4);
test(accepts, 'unet', { upcast_attention: true }, 'linearProjection', true);
test(accepts, 'unet', { _name_or_path: '/home/x' }, 'outChannels', 4);
test(accepts, 'unet', { a_setting_of_tomorrow: null }, 'crossAttentionDim', 16);
test(accepts, 'unet', { a_setting_of_tomorrow: false }, 'crossAttentionDim', 16);
test(accepts, 'vae', { force_upcast: true }, 'latentChannels', 4);
test(accepts, 'vae', { mid_block_add_attention: false }, 'midAttention', false);
test(accepts, 'vae', { scaling_factor: 0.13025 }, 'scalingFactor', 0.13025);
test(accepts, 'text_encoder', { hidden_act: 'quick_gelu' }, 'activation', 'quick_gelu');
test(accepts, 'scheduler', { clip_sample: true, clip_sample_range: 2 }, 'clip', 2);
test(accepts, 'scheduler', { clip_sample: undefined }, 'clip', 1); // diffusers' DDPM clips by default
test(
  accepts,
  'scheduler',
  { clip_sample: undefined, _class_name: 'PNDMScheduler' },
  'clip',
  undefined,
);

function modelJson(own: Json | undefined): ModelJson {
  return {
    unet: json('tiny/unet/config.json'),
    vae: json('tiny/vae/config.json'),
    textEncoder: json('tiny/text_encoder/config.json'),
    scheduler: json('tiny/scheduler/scheduler_config.json'),
    own,
  };
}

test('without an osediff.json a model is Stable Diffusion', (t) => {
  const { generator, tile, overlap } = modelConfig(modelJson(undefined));
  t.is(generator.timestep, 999);
  t.is(generator.spaceToDepth, 1);
  t.false(generator.skip);
  t.deepEqual([tile, overlap], [512, 128]);
});

test('osediff.json says what the layout of diffusers has no place for', (t) => {
  const own = { timestep: 349, space_to_depth: 4, skip: true, tile: 256, group_norm: 'identity' };
  const { generator, tile } = modelConfig(modelJson(own));
  t.deepEqual(
    [generator.timestep, generator.spaceToDepth, generator.skip, tile],
    [349, 4, true, 256],
  );
  t.deepEqual([generator.unet.style.groups, generator.vae.style.groups], [0, 0]);
});

test('osediff.json: what is not known is refused by name', (t) => {
  for (const own of [{ timesteps: 4 }, { group_norm: 'frozen' }, { space_to_depth: 0.5 }]) {
    const [key] = Object.keys(own);
    t.throws(() => modelConfig(modelJson(own)), {
      instanceOf: ConfigError,
      message: new RegExp(`^osediff\\.json: .*"${key}"`),
    });
  }
});
