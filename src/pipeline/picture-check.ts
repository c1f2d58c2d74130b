/** @file What a picture's header promises: checked before a model loads. */
import { probePicture } from '../image/codec.ts';
import { checkSize, formatOf, type Format, limitsOf } from '../image/formats.ts';
import type { PictureInfo } from '../image/probe.ts';
import { FormatError } from '../tensor/errors.ts';
import { standardStream } from './standard-stream.ts';
import type { Job } from './outputs.ts';
import { outputSize, type Size, type SizeChoice } from './size.ts';
import type { WriteRules } from './write-rules.ts';

/** A picture that passed its checks and will be upscaled. */
export interface PlannedPicture extends Job {
  /** Of the input, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly depth: PictureInfo['depth'];
  /** Frames that are upscaled. */
  readonly frames: number;
  readonly format: Format;
  /** Size of the result. */
  readonly result: Size;
}

/** Formats that are written as they are read. */
const writable: Readonly<Record<string, Format>> = {
  png: 'png',
  jpeg: 'jpeg',
  webp: 'webp',
  tiff: 'tiff',
  gif: 'gif',
  heif: 'avif',
};

/**
 * Reads a picture's header.
 *
 * @param source the file's name, or its bytes
 * @throws FormatError when it is no picture, has more frames than the result can hold, or grows too
 *   large; UsageError when its size cannot be what is asked for
 */
export async function checkPicture(
  job: Job,
  source: string | Uint8Array,
  size: SizeChoice,
  rules: WriteRules & { readonly format?: Format },
): Promise<PlannedPicture> {
  const { limitPixels, firstFrame = false } = rules;
  const name = job.input === standardStream ? 'standard input' : job.input;
  const info = await probePicture(source, {
    name,
    firstFrame,
    ...(limitPixels !== undefined && { limitPixels }),
  });
  const { width, height, depth } = info;
  const result = outputSize({ width, height }, size);
  const format =
    job.output === standardStream
      ? (rules.format ?? writable[info.format] ?? 'png')
      : formatOf(job.output);
  checkSize(format, job.output, result.width, result.height);
  const frames = checkFrames(name, info, format, firstFrame);
  return { ...job, width, height, depth, frames, format, result };
}

/** How many frames are upscaled; none is dropped unasked. */
function checkFrames(
  name: string,
  { frames, animated }: PictureInfo,
  format: Format,
  firstFrame: boolean,
): number {
  if (frames === 1 || firstFrame) return 1;
  if (animated && limitsOf(format).animated) return frames;
  const remedy = animated ? 'Write GIF or WebP, or give --first-frame' : 'Give --first-frame';
  throw new FormatError(
    `${name}: expected one ${animated ? 'frame' : 'page'}, got ${frames}. ${remedy}.`,
  );
}
