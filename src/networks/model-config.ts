/** @file What a model is made of, read from its config files: the generator and its text encoder. */
import { type ClipTextConfig, clipTextConfig } from './clip-text.ts';
import { ConfigReader, type Json } from './config.ts';
import type { GeneratorConfig } from './osediff.ts';
import { schedule } from './schedule.ts';
import { unetConfig } from './unet-config.ts';
import { vaeConfig } from './vae.ts';

/** The parsed files of a model's folder. */
export interface ModelJson {
  readonly unet: Json;
  readonly vae: Json;
  readonly textEncoder: Json | undefined;
  readonly scheduler: Json;
  /** `osediff.json`: what diffusers' layout has no place for; absent for Stable Diffusion. */
  readonly own: Json | undefined;
}

export interface ModelConfig {
  readonly generator: GeneratorConfig;
  /** Absent where prompts have no part in the model. */
  readonly text: ClipTextConfig | undefined;
  /** Edge and overlap of tiles that suit the model, in output pixels. */
  readonly tile: number;
  readonly overlap: number;
  /** How far from its edges a tile differs from the whole picture by more than rounding. */
  readonly halo: number;
}

/** @throws ConfigError for a variant that is not built */
export function modelConfig(json: ModelJson): ModelConfig {
  const own = new ConfigReader(json.own ?? {}, 'osediff.json');
  own.ignore('description');
  const identity = own.oneOf('group_norm', ['computed', 'identity'], 'computed') === 'identity';
  const unet = unetConfig(json.unet, 'unet/config.json', identity);
  const config: ModelConfig = {
    generator: {
      unet,
      vae: vaeConfig(json.vae, 'vae/config.json', identity),
      schedule: schedule(json.scheduler, 'scheduler/scheduler_config.json'),
      timestep: own.integer('timestep', 999),
      spaceToDepth: own.integer('space_to_depth', 1),
      skip: own.boolean('skip', false),
    },
    text: json.textEncoder && clipTextConfig(json.textEncoder, 'text_encoder/config.json'),
    tile: own.integer('tile', 512),
    overlap: own.integer('overlap', 128),
    halo: own.integer('halo', 0),
  };
  own.finish();
  return config;
}
