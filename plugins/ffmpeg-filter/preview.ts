/** @file A look at what a film will become: one frame before and after, or two seconds of the result. */
import path from 'node:path';
import { writePicture, type Picture, type Samples } from 'osediff';
import type { Ffmpeg } from './ffmpeg.ts';
import { readNut } from './nut-read.ts';
import { rawFormat } from './pixel-format.ts';
import { probeVideo } from './probe.ts';
import { decode } from './transcode.ts';
import { upscaleVideo, type VideoOptions } from './video.ts';

/** Seconds that a clip lasts. */
const clipLength = 2;

/**
 * Write a preview beside the result, `<name>-preview.png` or with the result's ending: a still of the
 * enlarged frame at a third of the film, the input's (bicubic) on the left half and the result on the
 * right, or a clip from there.
 *
 * @returns its path
 */
export async function writePreview(
  ffmpeg: Ffmpeg,
  input: string,
  kind: 'still' | 'clip',
  options: VideoOptions,
): Promise<string> {
  const { output, start = 0, signal, scale } = options;
  const info = await probeVideo(ffmpeg, input, signal);
  const end = options.end ?? info.duration ?? start;
  const at = start + Math.max(0, end - start) / 3;
  const stem = output.slice(0, output.length - path.extname(output).length);
  if (kind === 'clip') {
    const file = `${stem}-preview${path.extname(output)}`;
    const { listener: _, ...quiet } = options;
    const part = { start: at, end: Math.min(end, at + clipLength) };
    await upscaleVideo(ffmpeg, input, {
      ...quiet,
      ...part,
      output: file,
      overwrite: true,
      resume: false,
    });
    return file;
  }
  const raw = rawFormat(info.pixels);
  const from = info.start + at;
  const { deinterlace = false } = options;
  const frame = async (filters?: string): Promise<Picture> => {
    const decoder = decode(ffmpeg, info, raw, {
      deinterlace,
      from,
      signal,
      ...(filters && { filters }),
    });
    const { stream, frames } = await readNut(decoder.stdout!);
    const first = (await frames.next()).value;
    decoder.kill();
    if (!first) await decoder.ended;
    const { width, height } = stream;
    const bytes: Buffer = first!.data;
    const data = raw.bytes === 1 ? new Uint8Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    return { width, height, channels: raw.channels, data };
  };
  const large = await frame(`scale=iw*${scale}:ih*${scale}:flags=bicubic`);
  const upscaler = await options.load();
  try {
    const { upscale } = options.cells;
    const result = await upscaler.upscale(await frame(), {
      ...upscale,
      scale,
      ...(signal && { signal }),
    });
    const file = `${stem}-preview.png`;
    await writePicture(halves(large, result), file, { overwrite: true });
    return file;
  } finally {
    await upscaler.dispose();
  }
}

/** The left half of one picture and the right half of another, a white line between. */
function halves(before: Picture, after: Picture): Picture {
  const { width, height, channels } = after;
  const data: Samples = after.data.slice();
  const middle = Math.floor(width / 2);
  for (let y = 0; y < height; y++) {
    const row = y * width * channels;
    data.set(before.data.subarray(row, row + middle * channels), row);
    data.fill(
      data instanceof Uint8Array ? 255 : 65535,
      row + middle * channels,
      row + (middle + 1) * channels,
    );
  }
  return { ...after, data };
}
