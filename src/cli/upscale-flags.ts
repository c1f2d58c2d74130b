/** @file The options that say how pictures are upscaled, for every command that upscales. */
import { Option, type Command } from 'commander';
import type { ColorFix, PromptSource, UpscaleOptions, UpscalerOptions } from '../pipeline/types.ts';
import { UsageError } from '../tensor/errors.ts';
import { device, integerFrom, lora, numberBetween, type Lora } from './parse.ts';

/** What commander makes of them. */
export interface UpscaleFlags {
  readonly scale?: number;
  readonly width?: number;
  readonly height?: number;
  readonly megapixels?: number;
  readonly detail?: number;
  readonly model: string;
  readonly lora?: readonly Lora[];
  readonly prompt?: string;
  readonly promptFrom?: PromptSource | 'file';
  readonly tagger?: string;
  readonly color: ColorFix;
  readonly tile?: number;
  readonly overlap?: number;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly kernels?: 'auto' | 'gpu' | 'cpu';
  readonly sample?: true;
  readonly seed?: number;
  readonly asPublished?: true;
  readonly mean?: true;
}

/** Adds the options to a command. */
export function addUpscaleFlags(command: Command): Command {
  return command
    .option('--scale <factor>', 'output size over input size (default: 4)', numberBetween(0.01, 16))
    .option('--width <pixels>', 'output width, instead of the scale', integerFrom(1))
    .option('--height <pixels>', 'output height, instead of the scale', integerFrom(1))
    .option(
      '--megapixels <number>',
      'output size, instead of the scale',
      numberBetween(0.0001, 1e6),
    )
    .option('--detail <share>', 'how much of what the model adds enters', numberBetween(0, 1))
    .option('--model <name>', 'an installed model', 'compact')
    .option('--lora <file[:strength]>', 'merge a LoRA; may be repeated', lora)
    .option('--prompt <text>', 'what the picture shows')
    .addOption(promptOption())
    .option('--tagger <name>', 'the tagger of --prompt-from dape (default: dape)')
    .addOption(colorOption())
    .option('--tile <pixels>', 'longest tile edge, in output pixels', integerFrom(1))
    .option('--overlap <pixels>', 'least overlap of tiles, in output pixels', integerFrom(0))
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(precisionOption())
    .addOption(kernelsOption())
    .option('--sample', 'sample the latent, as the paper does, instead of taking its mean')
    .option('--seed <number>', 'seed of the sample', integerFrom(0))
    .option('--as-published', 'do what the official program does, its tiling included')
    .option('--mean', 'with --as-published: take the mean all the same');
}

function colorOption(): Option {
  return new Option('--color <method>', 'match colours to the input')
    .choices(['adain', 'wavelet', 'none'])
    .default('adain');
}

function promptOption(): Option {
  return new Option(
    '--prompt-from <source>',
    'what stands before the prompt: tags found in the picture (dape), the .txt beside it (file), or nothing (none). ' +
      'With tags results have more detail, without them they are truer to the input: in the paper, models ' +
      'trained without score better by PSNR, SSIM, LPIPS and DISTS, with them by NIQE, MUSIQ, MANIQA and CLIPIQA. ' +
      'Default: as the model was trained, none where there is no tagger',
  ).choices(['dape', 'file', 'none']);
}

function kernelsOption(): Option {
  const text = 'where colour is matched (default: what a probe finds faster)';
  return new Option('--kernels <kind>', text).choices(['auto', 'gpu', 'cpu']);
}

function precisionOption(): Option {
  return new Option('--precision <type>', 'arithmetic of the networks')
    .choices(['fp32', 'fp16'])
    .default('fp32');
}

/** What the flags say about the model. */
export function modelOptions(flags: UpscaleFlags): UpscalerOptions {
  const { model, device, precision, kernels, lora, promptFrom, tagger } = flags;
  return {
    model,
    device,
    precision,
    loras: lora ?? [],
    ...(kernels !== undefined && { kernels }),
    // A caption takes the place of tags.
    ...(promptFrom !== undefined && { promptFrom: promptFrom === 'file' ? 'none' : promptFrom }),
    ...(tagger !== undefined && { tagger }),
  };
}

/**
 * What the flags say about each picture.
 *
 * @throws UsageError for options at odds with each other
 */
export function upscaleOptions(flags: UpscaleFlags): UpscaleOptions {
  const { scale, width, height, megapixels, detail, prompt, color } = flags;
  const { tile, overlap, seed, sample, asPublished, mean } = flags;
  const random = sample === true || (asPublished === true && mean !== true);
  if (seed !== undefined && !random) {
    throw new UsageError('--seed: expected --sample beside it, got nothing that is random.');
  }
  if (mean === true && asPublished !== true) {
    throw new UsageError(
      '--mean: expected --as-published beside it; without, the mean is taken anyway.',
    );
  }
  if (mean === true && sample === true) {
    throw new UsageError('--mean: expected no --sample beside it, got both.');
  }
  checkSize(flags);
  const otherSize = width !== undefined || height !== undefined || megapixels !== undefined;
  return {
    ...(otherSize ? {} : { scale: scale ?? 4 }),
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(megapixels !== undefined && { megapixels }),
    ...(detail !== undefined && { detail }),
    color,
    ...(prompt !== undefined && { prompt }),
    ...(tile !== undefined && { tile }),
    ...(overlap !== undefined && { overlap }),
    ...(seed !== undefined && { seed }),
    ...(sample && { sample }),
    ...(asPublished && { asPublished }),
    ...(mean && { mean }),
  };
}

/** @throws UsageError when the size is given in more than one way */
function checkSize({ scale, width, height, megapixels }: UpscaleFlags): void {
  const ways = [
    scale === undefined ? undefined : '--scale',
    width === undefined && height === undefined ? undefined : '--width or --height',
    megapixels === undefined ? undefined : '--megapixels',
  ].filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw new UsageError(`${ways[0]}: expected the size in one way, got ${ways.join(' and ')}.`);
  }
}
