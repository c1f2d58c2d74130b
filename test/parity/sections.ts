/** @file The sections of the parity run, in the order in which they come. */
import { colour } from './colour.ts';
import { chains, pieces } from './degradation.ts';
import { files } from './files.ts';
import { type Section, wholeFolder } from './folder.ts';
import { generator } from './generator.ts';
import { parityGradients } from './gradients.ts';
import { lora } from './lora.ts';
import { models } from './models.ts';
import { schedule } from './schedule.ts';
import { parityMetrics } from './metrics.ts';
import { parityTagger } from './tagger.ts';
import { textEncoder } from './text-encoder.ts';
import { tiled } from './tiled.ts';
import { tokenizer } from './tokenizer.ts';
import { traces } from './traces.ts';
import { parityTrain } from './train.ts';
import { unet } from './unet.ts';
import { vae } from './vae.ts';

export const sections: readonly Section[] = [
  tokenizer,
  schedule,
  textEncoder,
  vae,
  unet,
  traces,
  generator,
  tiled,
  colour,
  models,
  lora,
  files,
  pieces,
  chains,
  wholeFolder(
    /^gradients\/(unet|vae_encoder|vae_decoder|lpips_thin)\.safetensors$/,
    /^((in|w)\.|timesteps$|[ab]$)/,
    parityGradients,
  ),
  wholeFolder(
    /^train\/(algorithm1(_as_run)?\.(safetensors|json)|lpips_thin_weights\.safetensors)$/,
    /^(start\.|\d+\.data\.|settings$|prompts$|float(32|64)$|lin\d|net\.)/,
    parityTrain,
  ),
  wholeFolder(
    /^tagger\/(small\.json|ram_tag_list(_threshold)?\.txt|[^/]+\.safetensors)$/,
    /^(image_size|swin|bert|lora|tags|thresholds|pictures)$/,
    parityTagger,
  ),
  wholeFolder(
    /^metrics\/((classic|lpips|dists|frechet|fid|clipiqa|musiq|maniqa|maniqa-crops-realsr)\.json|[^/]+\.safetensors|niqe_pris_params\.npz|clip-jit-tiny\.pt)$/,
    // Members of JSON files, of which each number has a row, and the sets that distances are taken of.
    /^[^.]*$|\.[ab]$/,
    parityMetrics,
  ),
];
