/** @file `osediff compare`: two pictures or films under one slider, with PSNR and SSIM of pictures. */
import type { Command } from 'commander';
import { probePicture } from '../../image/codec.ts';
import { FormatError, UsageError } from '../../tensor/errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { integerFrom } from '../parse.ts';

interface Flags {
  readonly output?: string;
  readonly crop?: string;
  readonly overwrite?: boolean;
  readonly port: number;
  readonly ffmpeg: string;
}

/** Add the command to a program. */
export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('show two pictures or films under one before/after slider')
    .argument('<before>', 'a picture or a film')
    .argument('<after>', 'another of its kind')
    .option('-o, --output <page>', 'where the page of two pictures goes', 'compare.html')
    .option('--crop <file>', 'a PNG of the liveliest place of both pictures, for terminals')
    .option('--overwrite', 'replace existing files')
    .option('--port <number>', 'where the page of two films is served (0: any)', integerFrom(0), 0)
    .option('--ffmpeg <program>', 'auto, wasm (the built-in one) or a path', 'auto')
    .action((before: string, after: string, flags: Flags) => compare(before, after, flags));
}

async function compare(before: string, after: string, flags: Flags): Promise<void> {
  const [a, b] = [await isPicture(before), await isPicture(after)];
  if (a && b) {
    const { output = 'compare.html', crop, overwrite = false } = flags;
    const { comparePictures } = await import('../compare-pictures.ts');
    await comparePictures(before, after, {
      page: output,
      overwrite,
      ...(crop !== undefined && { crop }),
    });
  } else if (a || b) {
    const [picture, other] = a ? [before, after] : [after, before];
    throw new UsageError(
      `${other}: expected a picture, as ${picture} is, got another kind of file.`,
    );
  } else await compareFilms(before, after, flags);
}

async function isPicture(file: string): Promise<boolean> {
  try {
    await probePicture(file, { limitPixels: Infinity });
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

async function compareFilms(before: string, after: string, { port, ffmpeg }: Flags): Promise<void> {
  const { findFfmpeg } = await import('../../../plugins/ffmpeg-filter/ffmpeg.ts');
  const { probeVideo, ratio } = await import('../../../plugins/ffmpeg-filter/probe.ts');
  const { serveComparison } = await import('../../../plugins/ffmpeg-filter/compare-server.ts');
  const engine = await findFfmpeg(ffmpeg);
  const signal = interruptSignal();
  const [a, b] = [
    await probeVideo(engine, before, signal),
    await probeVideo(engine, after, signal),
  ];
  const rate = ratio(a.video.avg_frame_rate) || ratio(b.video.avg_frame_rate) || 25;
  const text = [a, b].map(({ video, width, height }) => `${video.codec_name} ${width}x${height}`);
  const server = await serveComparison(before, after, { port, rate, text: text.join(' / ') });
  process.stdout.write(`${server.address}\n`);
  process.stderr.write('Open the page in a browser; Ctrl-C ends it.\n');
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
  await server.close();
}
