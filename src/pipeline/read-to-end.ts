/** @file Whether a picture file is whole, and what is in it: planned, decoded to its end, and hashed. */
import { readPictureFile } from '../image/codec.ts';
import { damaged } from '../image/probe.ts';
import { loadSharp } from '../image/sharp.ts';
import { recordFile } from '../weights/manifest.ts';
import { checkPicture } from './picture-check.ts';
import { readSidecar } from './sidecar.ts';
import type { SizeChoice } from './size.ts';
import type { WriteRules } from './write-rules.ts';

/** A picture file that was read to its end. */
export interface WholePicture {
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  /** What the text beside it says, when captions were asked for. */
  readonly caption?: string;
}

/** How the picture will be upscaled, as far as it may turn out that it cannot. */
export interface ReadToEndOptions {
  /** A name with the ending of the result. */
  readonly output: string;
  readonly size?: SizeChoice;
  readonly rules?: WriteRules;
  /** Read the caption beside it. @default false */
  readonly captions?: boolean;
}

/** More pixels than this are decoded as a stream. */
const mostInMemory = 100e6;

/**
 * Reads a picture file to its end, as upscaling it will.
 *
 * @throws PathError when it, or its caption, cannot be read; FormatError when it is no picture,
 *   truncated or damaged, or what it would become cannot be written; UsageError when its size cannot
 *   be what is asked for
 */
export async function readToEnd(
  file: string,
  { output, size = {}, rules = {}, captions = false }: ReadToEndOptions,
): Promise<WholePicture> {
  const planned = await checkPicture({ input: file, output }, file, size, rules);
  const { width, height, frames } = planned;
  const { limitPixels, firstFrame = false } = rules;
  if (width * height * frames > mostInMemory) await decodeAsStream(file);
  else
    await readPictureFile(file, { firstFrame, ...(limitPixels !== undefined && { limitPixels }) });
  const caption = captions ? await readSidecar(file) : undefined;
  const record = await recordFile(file);
  return { width, height, ...record, ...(caption !== undefined && { caption }) };
}

/** Statistics look at every pixel and keep none. */
async function decodeAsStream(file: string): Promise<void> {
  const sharp = await loadSharp();
  const pixels = sharp(file, { limitInputPixels: false, unlimited: true, failOn: 'error' });
  await pixels.stats().catch((error: unknown) => {
    throw damaged(file, 'picture', error);
  });
}
