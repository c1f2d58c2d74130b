/** @file `osediff video`: a film to a larger film, with everything else in the file kept. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { CodecChoice } from '../../../plugins/ffmpeg-filter/codecs.ts';
import type { StreamKind } from '../../../plugins/ffmpeg-filter/container.ts';
import type { VideoOptions } from '../../../plugins/ffmpeg-filter/video.ts';
import type { ColorFix } from '../../pipeline/types.ts';
import { interruptSignal } from '../interrupt.ts';
import { device, integerFrom, lora, numberBetween, type Lora } from '../parse.ts';
import type { ReportOptions } from '../report.ts';
import { jsonVideoReporter, textVideoReporter } from '../video-report.ts';
import type { Load } from './upscale.ts';

interface Flags {
  readonly output: string;
  readonly scale: string;
  readonly model: string;
  readonly lora?: readonly Lora[];
  readonly prompt?: string;
  readonly color: ColorFix;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly codec: CodecChoice;
  readonly crf?: number;
  readonly preset?: string;
  readonly start?: number;
  readonly end?: number;
  readonly segment: number;
  readonly resume?: true;
  readonly overwrite?: true;
  readonly deinterlace?: true;
  readonly leaveOut?: readonly StreamKind[];
  readonly acceptLoss?: true;
  readonly still: number;
  readonly reuse: boolean;
  readonly calm: number;
  readonly preview?: 'still' | 'clip' | true;
  readonly ffmpeg: string;
  readonly json?: true;
}

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  return loadUpscaler(options);
};

/** Add the command to a program; `report` says where it prints. */
export function addVideo(
  program: Command,
  load: Load = loadModel,
  report: ReportOptions = {},
): void {
  program
    .command('video')
    .description('enlarge a film, keeping its sound, subtitles, chapters and times')
    .argument('<input>', 'a video file')
    .requiredOption('-o, --output <file>', 'where the result goes; its ending names the container')
    .addOption(
      new Option('--scale <factor>', 'output size over input size')
        .choices(['2', '4'])
        .default('4'),
    )
    .option('--model <name>', 'an installed model', 'compact')
    .option('--lora <file[:strength]>', 'merge a LoRA; may be repeated', lora)
    .option('--prompt <text>', 'what the film shows')
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
    .addOption(
      new Option('--codec <encoder>', "the result's encoder; source keeps the input's codec")
        .choices(['source', 'libx264', 'libx265', 'libsvtav1', 'libvpx-vp9', 'ffv1', 'prores'])
        .default('source'),
    )
    .option('--crf <number>', 'quality of the encoder, lower is better', numberBetween(0, 63))
    .option('--preset <name>', "the encoder's speed preset")
    .option('--start <time>', 'begin here: seconds or [h:]m:s', time)
    .option('--end <time>', 'end here', time)
    .option('--segment <frames>', 'frames that are safe on disk at a time', integerFrom(1), 250)
    .option('--resume', 'go on with the work of an earlier run')
    .option('--overwrite', 'replace an existing result and earlier work')
    .option('--deinterlace', 'make whole pictures of interlaced ones')
    .addOption(
      new Option('--leave-out <kinds...>', 'streams that the result need not have').choices([
        'audio',
        'subtitle',
        'data',
        'attachment',
        'cover',
        'video',
      ]),
    )
    .option('--accept-loss', 'go on although the result cannot hold everything')
    .option(
      '--still <levels>',
      'take areas as unchanged up to this difference, of 255',
      numberBetween(0, 255),
      0,
    )
    .option('--no-reuse', 'compute unchanged areas again')
    .option(
      '--calm <strength>',
      'blend still areas with the frame before, 0 to 0.95',
      numberBetween(0, 0.95),
      0,
    )
    .option(
      '--preview [kind]',
      'first write a before/after picture (still) or two seconds (clip)',
      preview,
    )
    .option('--ffmpeg <program>', 'auto, wasm (the built-in one) or a path', 'auto')
    .option('--json', 'print one JSON object a line')
    .action((input: string, flags: Flags) => video(input, flags, load, report));
}

/** Seconds, `m:s` or `h:m:s`. */
function time(text: string): number {
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(text)) {
    throw new InvalidArgumentError('Expected seconds, m:s or h:m:s.');
  }
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

function preview(text: string): string {
  if (text !== 'still' && text !== 'clip')
    throw new InvalidArgumentError('Expected still or clip.');
  return text;
}

async function video(
  input: string,
  flags: Flags,
  load: Load,
  report: ReportOptions,
): Promise<void> {
  const signal = interruptSignal();
  const reporter = flags.json ? jsonVideoReporter(report) : textVideoReporter(report);
  const { findFfmpeg } = await import('../../../plugins/ffmpeg-filter/ffmpeg.ts');
  const { upscaleVideo } = await import('../../../plugins/ffmpeg-filter/video.ts');
  const { writePreview } = await import('../../../plugins/ffmpeg-filter/preview.ts');
  try {
    const ffmpeg = await findFfmpeg(flags.ffmpeg);
    reporter.onFfmpeg(ffmpeg.kind, ffmpeg.version);
    const options: VideoOptions = { ...videoOptions(flags, load), listener: reporter, signal };
    if (flags.preview !== undefined) {
      const kind = flags.preview === true ? 'still' : flags.preview;
      reporter.onPreview(await writePreview(ffmpeg, input, kind, options));
    }
    reporter.end(await upscaleVideo(ffmpeg, input, options));
  } catch (error) {
    reporter.stopped(error);
    throw error;
  }
}

function videoOptions(flags: Flags, load: Load): VideoOptions {
  const { model, device, precision, lora: loras = [], prompt, color } = flags;
  const { crf, preset, start, end, segment, resume, overwrite, deinterlace, acceptLoss } = flags;
  const scale = Number(flags.scale);
  // Cells of 1024 pixels of the result, as the bundled model's tiles; whole frames for a colour
  // matching that looks at all of them.
  const cells = color === 'adain' ? {} : { cell: 1024 / scale, overlap: 128 / scale };
  return {
    output: flags.output,
    scale,
    codec: flags.codec,
    load: () => load({ model, device, precision, loras }),
    cells: {
      ...cells,
      still: flags.reuse ? flags.still : 'off',
      upscale: { color, ...(prompt !== undefined && { prompt }) },
    },
    calm: flags.calm,
    modelKey: JSON.stringify([model, precision, loras, prompt, color]),
    segment,
    ...(crf !== undefined && { crf }),
    ...(preset !== undefined && { preset }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    ...(resume && { resume }),
    ...(overwrite && { overwrite }),
    ...(deinterlace && { deinterlace }),
    ...(acceptLoss && { acceptLoss }),
    ...(flags.leaveOut && { leaveOut: new Set(flags.leaveOut) }),
  };
}
