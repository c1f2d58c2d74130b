/** @file `osediff upscale`: files and folders of pictures to larger pictures. */
import { Option, type Command } from 'commander';
import type { ColorFix, Upscaler, UpscaleOptions, UpscalerOptions } from '../../pipeline/types.ts';
import { UsageError } from '../../tensor/errors.ts';
import { exitCodes } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { device, integerFrom, lora, numberBetween, type Lora } from '../parse.ts';
import { jsonReporter, textReporter, type ReportOptions } from '../report.ts';

/** Loads a model: `loadUpscaler`, unless a test brings its own. */
export type Load = (options: UpscalerOptions) => Promise<Upscaler>;

interface Flags {
  readonly output?: string;
  readonly scale: number;
  readonly model: string;
  readonly lora?: readonly Lora[];
  readonly prompt?: string;
  readonly color: ColorFix;
  readonly tile?: number;
  readonly overlap?: number;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly sample?: true;
  readonly seed?: number;
  readonly asPublished?: true;
  readonly mean?: true;
  readonly overwrite?: true;
  readonly json?: true;
}

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  return loadUpscaler(options);
};

/** Add the command to a program; `report` says where it prints. */
export function addUpscale(
  program: Command,
  load: Load = loadModel,
  report: ReportOptions = {},
): void {
  program
    .command('upscale')
    .description('enlarge pictures')
    .argument('<input...>', 'PNG, JPEG, WebP or TIFF files, or folders of them')
    .option('-o, --output <path>', 'a file for one picture, else a folder (default: beside each)')
    .option('--scale <factor>', 'output size over input size', numberBetween(1, 16), 4)
    .option('--model <name>', 'an installed model', 'compact')
    .option('--lora <file[:strength]>', 'merge a LoRA; may be repeated', lora)
    .option('--prompt <text>', 'what the picture shows')
    .addOption(colorOption())
    .option('--tile <pixels>', 'longest tile edge, in output pixels', integerFrom(1))
    .option('--overlap <pixels>', 'least overlap of tiles, in output pixels', integerFrom(0))
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(precisionOption())
    .option('--sample', 'sample the latent, as the paper does, instead of taking its mean')
    .option('--seed <number>', 'seed of the sample', integerFrom(0))
    .option('--as-published', 'do what the official program does, its tiling included')
    .option('--mean', 'with --as-published: take the mean all the same')
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object a line')
    .action((inputs: string[], flags: Flags) => upscale(inputs, flags, load, report));
}

function colorOption(): Option {
  return new Option('--color <method>', 'match colours to the input')
    .choices(['adain', 'wavelet', 'none'])
    .default('adain');
}

function precisionOption(): Option {
  return new Option('--precision <type>', 'arithmetic of the networks')
    .choices(['fp32', 'fp16'])
    .default('fp32');
}

async function upscale(
  inputs: readonly string[],
  flags: Flags,
  load: Load,
  report: ReportOptions,
): Promise<void> {
  const options = upscaleOptions(flags);
  const { model, device, precision, lora: loras = [] } = flags;
  const signal = interruptSignal();
  const reporter = flags.json ? jsonReporter(report) : textReporter(report);
  const { upscaleFiles } = await import('../../pipeline/batch.ts');
  try {
    const summary = await upscaleFiles(inputs, {
      ...(flags.output !== undefined && { out: flags.output }),
      overwrite: flags.overwrite ?? false,
      load: () => load({ model, device, precision, loras }),
      upscale: options,
      listener: reporter,
      signal,
    });
    reporter.end(summary);
    if (summary.failed > 0) process.exitCode = exitCodes.failed;
  } catch (error) {
    reporter.stopped(error);
    throw error;
  }
}

/** @throws UsageError for options at odds with each other */
function upscaleOptions(flags: Flags): UpscaleOptions {
  const { scale, prompt, color, tile, overlap, seed, sample, asPublished, mean } = flags;
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
  return {
    scale,
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
