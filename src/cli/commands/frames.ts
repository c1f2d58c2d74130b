/** @file `osediff frames`: raw frames from stdin to stdout, or a folder of stills to another. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { FrameFormat } from '../../../plugins/ffmpeg-filter/frames.ts';
import type { ColorFix } from '../../pipeline/types.ts';
import { UsageError } from '../../tensor/errors.ts';
import { countReporter } from '../count-report.ts';
import { interruptSignal } from '../interrupt.ts';
import { device, lora, numberBetween, type Lora } from '../parse.ts';
import type { Load } from './upscale.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

interface Flags {
  readonly output?: string;
  readonly format: FrameFormat;
  readonly size?: Size;
  readonly pixels: string;
  readonly scale: string;
  readonly model: string;
  readonly lora?: readonly Lora[];
  readonly prompt?: string;
  readonly color: ColorFix;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly still: number;
  readonly reuse: boolean;
  readonly resume?: true;
  readonly overwrite?: true;
}

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  return loadUpscaler(options);
};

/** Add the command to a program. */
export function addFrames(program: Command, load: Load = loadModel): void {
  program
    .command('frames')
    .description('enlarge raw frames between two other programs, or a folder of stills')
    .argument('[folder]', 'a folder of stills (default: raw frames on stdin)')
    .option('-o, --output <folder>', 'where stills go (raw frames go to stdout)')
    .addOption(
      new Option('--format <format>', 'of raw frames, in and out')
        .choices(['y4m', 'nut', 'rawvideo'])
        .default('y4m'),
    )
    .option('--size <WxH>', 'of rawvideo', size)
    .addOption(
      new Option('--pixels <format>', 'of rawvideo')
        .choices(['gray', 'rgb24', 'rgba', 'gray16le', 'rgb48le', 'rgba64le'])
        .default('rgb24'),
    )
    .addOption(
      new Option('--scale <factor>', 'output size over input size')
        .choices(['2', '4'])
        .default('4'),
    )
    .option('--model <name>', 'an installed model', 'compact')
    .option('--lora <file[:strength]>', 'merge a LoRA; may be repeated', lora)
    .option('--prompt <text>', 'what the frames show')
    .addOption(
      new Option('--color <method>', 'match colours to the input; adain sees whole frames')
        .choices(['wavelet', 'adain', 'none'])
        .default('wavelet'),
    )
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(
      new Option('--precision <type>', 'arithmetic of the networks')
        .choices(['fp32', 'fp16'])
        .default('fp32'),
    )
    .option(
      '--still <levels>',
      'take areas as unchanged up to this difference, of 255',
      numberBetween(0, 255),
      0,
    )
    .option('--no-reuse', 'compute unchanged areas again')
    .option('--resume', 'leave the stills that are done')
    .option('--overwrite', 'replace existing stills')
    .action((folder: string | undefined, flags: Flags) => frames(folder, flags, load));
}

function size(text: string): Size {
  const [, width = 0, height = 0] = (/^(\d+)x(\d+)$/.exec(text) ?? []).map(Number);
  if (width < 1 || height < 1) throw new InvalidArgumentError('Expected WIDTHxHEIGHT in pixels.');
  return { width, height };
}

async function frames(folder: string | undefined, flags: Flags, load: Load): Promise<void> {
  const { model, device, precision, lora: loras = [], prompt, color } = flags;
  const signal = interruptSignal();
  const scale = Number(flags.scale);
  const cells = {
    scale,
    // As `osediff video` does it.
    ...(color === 'adain' ? {} : { cell: 1024 / scale, overlap: 128 / scale }),
    still: flags.reuse ? flags.still : ('off' as const),
    upscale: { color, signal, ...(prompt !== undefined && { prompt }) },
  };
  const common = { load: () => load({ model, device, precision, loras }), cells, signal };
  if (folder === undefined) {
    if (flags.output !== undefined) {
      throw new UsageError(
        '--output: expected a folder of stills before it; raw frames go to stdout.',
      );
    }
    const { upscaleFrames } = await import('../../../plugins/ffmpeg-filter/frames.ts');
    const { format, size, pixels } = flags;
    await upscaleFrames(process.stdin, process.stdout, {
      ...common,
      format,
      pixels,
      ...(size && { size }),
    });
    return;
  }
  if (flags.output === undefined) {
    throw new UsageError('--output: expected a folder for the stills, got none. Give -o FOLDER.');
  }
  const { upscaleStills } = await import('../../../plugins/ffmpeg-filter/stills.ts');
  const reporter = countReporter();
  try {
    await upscaleStills(folder, flags.output, {
      ...common,
      resume: flags.resume ?? false,
      overwrite: flags.overwrite ?? false,
      onFrame: (done, total, name) => reporter.onCount(done, total, name),
    });
  } finally {
    reporter.end();
  }
  process.stdout.write(`${flags.output}\n`);
}
