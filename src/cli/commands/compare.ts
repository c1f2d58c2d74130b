/** @file `osediff compare`: two pictures or films under one slider, with PSNR and SSIM of pictures. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { encodePicture, readPicture } from '../../image/codec.ts';
import type { Picture } from '../../image/picture.ts';
import { writeFileSafely } from '../../image/safe-write.ts';
import { psnr } from '../../measures/psnr.ts';
import { toRgb } from '../../measures/rgb.ts';
import { ssim } from '../../measures/ssim.ts';
import { FormatError, UsageError } from '../../tensor/errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { integerFrom } from '../parse.ts';

interface Flags {
  readonly output?: string;
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
    .option('--overwrite', 'replace an existing page')
    .option('--port <number>', 'where the page of two films is served (0: any)', integerFrom(0), 0)
    .option('--ffmpeg <program>', 'auto, wasm (the built-in one) or a path', 'auto')
    .action((before: string, after: string, flags: Flags) => compare(before, after, flags));
}

async function compare(before: string, after: string, flags: Flags): Promise<void> {
  const [a, b] = [await pictureOrNot(before), await pictureOrNot(after)];
  if (a && b) await comparePictures([before, a], [after, b], flags);
  else if (a || b) {
    const [picture, other] = a ? [before, after] : [after, before];
    throw new UsageError(
      `${other}: expected a picture, as ${picture} is, got another kind of file.`,
    );
  } else await compareFilms(before, after, flags);
}

async function pictureOrNot(file: string): Promise<Picture | undefined> {
  try {
    return await readPicture(file);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

async function comparePictures(
  [beforeFile, before]: [string, Picture],
  [afterFile, after]: [string, Picture],
  { output = 'compare.html', overwrite = false }: Flags,
): Promise<void> {
  const { comparePage } = await import('../../../plugins/ffmpeg-filter/compare-page.ts');
  const text = scores(before, after);
  const side = async (file: string, picture: Picture): Promise<{ url: string; name: string }> => {
    const bytes = await encodePicture(picture, 'png');
    return { url: `data:image/png;base64,${bytes.toString('base64')}`, name: basename(file) };
  };
  const page = comparePage({
    kind: 'picture',
    before: await side(beforeFile, before),
    after: await side(afterFile, after),
    text,
  });
  await writeFileSafely(output, Buffer.from(page), { overwrite });
  process.stderr.write(`${text}\n`);
  process.stdout.write(`${output}\n`);
}

/** PSNR and SSIM on Y, as the paper's table has them, where the sizes allow it. */
function scores(before: Picture, after: Picture): string {
  const [a, b] = [toRgb(before), toRgb(after)];
  if (a.width !== b.width || a.height !== b.height) {
    return `${a.width}x${a.height} and ${b.width}x${b.height}: no PSNR or SSIM for two sizes`;
  }
  const similarity = Math.min(a.width, a.height) < 11 ? '' : `, SSIM ${ssim(b, a).toFixed(4)}`;
  return `PSNR ${psnr(b, a).toFixed(2)} dB${similarity}`;
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
