/** @file Whether a picture file is whole, and what is in it: decoded to its end, and hashed. */
import { readPicture } from '../image/codec.ts';
import { recordFile } from '../weights/manifest.ts';

/** A picture file that was read to its end. */
export interface CheckedPicture {
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads a picture file to its end, as upscaling it will.
 *
 * @throws PathError when it cannot be read; FormatError when it is no picture, truncated or damaged
 */
export async function checkPicture(file: string): Promise<CheckedPicture> {
  const { width, height } = await readPicture(file);
  return { width, height, ...(await recordFile(file)) };
}
