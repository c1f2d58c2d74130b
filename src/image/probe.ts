/** @file What a picture file says about itself, and what is refused before its pixels are read. */
import { open } from 'node:fs/promises';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { FormatError, PathError } from '../tensor/errors.ts';
import { explainPathError } from './path-errors.ts';
import type { Channels } from './picture.ts';
import { loadSharp } from './sharp.ts';

/** A path, or the bytes of a picture file. */
export type PictureSource = string | Uint8Array;

export interface ProbeOptions {
  /**
   * Most pixels (width x height) that are read; `Infinity` lifts the limit.
   * @default 268402689, which is 16383 x 16383
   */
  readonly limitPixels?: number;
  /** Count, and read, only the first frame of an animation. @default false */
  readonly firstFrame?: boolean;
  /** What errors call a picture that is given as bytes. @default 'picture' */
  readonly name?: string;
}

/** The header of a picture file. */
export interface PictureInfo {
  /** As sharp names it: png, jpeg, webp, tiff, gif, heif (AVIF) ... */
  readonly format: string;
  /** Pixels, after the EXIF orientation. */
  readonly width: number;
  readonly height: number;
  /** Of the picture as it will be read: CMYK counts as RGB. */
  readonly channels: Channels;
  readonly depth: 'uint8' | 'uint16' | 'float32';
  /** Frames of an animation, or pages. */
  readonly frames: number;
  /** Whether the frames are an animation, which is upscaled whole. */
  readonly animated: boolean;
}

/** A probed file: its public header, and what reading needs besides. */
export interface Probed extends PictureInfo {
  readonly name: string;
  readonly metadata: Metadata;
  /** A pipeline on the file's stored pixels. */
  readonly open: (options?: SharpOptions) => Sharp;
}

const DEFAULT_LIMIT = 0x3fff * 0x3fff;

/** Formats of pixels; SVG and PDF would be drawn at a size nobody chose. */
const pixelFormats = new Set(['png', 'jpeg', 'webp', 'tiff', 'gif', 'heif', 'jp2', 'jxl', 'ppm']);

/** The first bytes of a source, to tell what it is when no decoder knows it. */
async function firstBytes(source: PictureSource): Promise<Uint8Array> {
  if (typeof source !== 'string') return source.subarray(0, 512);
  const file = await open(source, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** What a file that no decoder knows seems to be, and what may help. */
function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file. Give a picture file.';
  // Control characters other than tab, line feed, form feed, carriage return and escape.
  const binary = bytes.some((b) => b < 32 && ![9, 10, 12, 13, 27].includes(b));
  return binary ? 'another kind of file. Convert it to PNG first.' : 'text. Give a picture file.';
}

/** One line of a libvips message, which may have several. */
function oneLine(error: unknown): string {
  const lines = (error as Error).message.split('\n');
  const kept = lines.map((line) => line.trim()).filter((line) => line !== '');
  return [...new Set(kept)].join('; ').replace(/\.$/, '');
}

/** A decoder's complaint about pixels as a `FormatError` of one line. */
export function damaged(name: string, format: string, error: unknown): FormatError {
  return new FormatError(
    `${name}: expected a whole ${format.toUpperCase()}, got a truncated or damaged one (${oneLine(error)}). Copy or download it again.`,
    { cause: error },
  );
}

/** @throws PathError when `file` is not there, is a folder or may not be read. */
async function requireFile(file: string): Promise<void> {
  try {
    const handle = await open(file, 'r');
    const stats = await handle.stat().finally(() => handle.close());
    if (stats.isFile()) return;
    if (stats.isDirectory()) throw Object.assign(new Error('folder'), { code: 'EISDIR' });
  } catch (error) {
    throw explainPathError(error, file);
  }
  throw new PathError(`${file}: expected a file, got a pipe or device. Save it as a file first.`);
}

/** Colour channels and depth as they will be read, from libvips' names for them. */
function layout(
  name: string,
  { space, depth, channels }: Metadata,
): Pick<PictureInfo, 'channels' | 'depth'> {
  const grey = ['b-w', 'grey16', 'fourier', 'matrix'].includes(space);
  const colors = grey ? 1 : 3;
  const stored = space === 'cmyk' ? 4 : colors;
  if (channels < stored || channels > stored + 1) {
    throw new FormatError(
      `${name}: expected grey, RGB or CMYK with at most one alpha, got ${channels} channels. Convert it to PNG.`,
    );
  }
  const out = (colors + channels - stored) as Channels;
  if (depth === 'uchar' || space === 'cmyk' || space.startsWith('lab')) {
    return { channels: out, depth: 'uint8' };
  }
  if (depth === 'ushort') return { channels: out, depth: 'uint16' };
  if (depth === 'float' && (space === 'scrgb' || space === 'b-w')) {
    return { channels: out, depth: 'float32' };
  }
  throw new FormatError(
    `${name}: expected 8 or 16 bits or floats a sample, got ${depth} in ${space}. Convert it to 16-bit PNG or TIFF.`,
  );
}

/** @throws FormatError when no decoder knows the file or its header is broken. */
async function header(open: () => Sharp, name: string, source: PictureSource): Promise<Metadata> {
  try {
    return await open().metadata();
  } catch (error) {
    const unknown = /unsupported image format|is empty/i.test(oneLine(error));
    const got = unknown
      ? describe(await firstBytes(source))
      : `a damaged or unusual one (${oneLine(error)}). Copy it again or convert it to PNG.`;
    throw new FormatError(
      `${name}: expected a picture (PNG, JPEG, WebP, TIFF, GIF or AVIF), got ${got}`,
      { cause: error },
    );
  }
}

/**
 * Reads a picture's header and refuses what will not be read.
 *
 * @throws PathError when the file cannot be opened; FormatError when it is no picture, a drawing, has
 *   samples of another kind, or more pixels than the limit.
 */
export async function probe(source: PictureSource, options: ProbeOptions = {}): Promise<Probed> {
  const { limitPixels = DEFAULT_LIMIT } = options;
  const name = options.name ?? (typeof source === 'string' ? source : 'picture');
  if (typeof source === 'string') await requireFile(source);
  const sharp = await loadSharp();
  // The limit is checked below, where the error can say what to do; nothing is decoded before.
  const unlimited = { limitInputPixels: false, unlimited: limitPixels === Infinity };
  const openSource = (extra: SharpOptions = {}): Sharp =>
    sharp(source, { ...unlimited, failOn: 'error', ...extra });
  const metadata = await header(openSource, name, source);
  const { format } = metadata;
  const { width } = metadata.autoOrient;
  const height = metadata.pageHeight ?? metadata.autoOrient.height;
  if (!pixelFormats.has(format)) {
    throw new FormatError(
      `${name}: expected a picture made of pixels, got ${format.toUpperCase()}. Export it as PNG first.`,
    );
  }
  const frames = metadata.pages ?? 1;
  const animated = frames > 1 && (format === 'gif' || format === 'webp');
  const all = animated && !options.firstFrame;
  if (width * height * (all ? frames : 1) > limitPixels) {
    const times = all ? ` in ${frames} frames` : '';
    throw new FormatError(
      `${name}: expected at most ${limitPixels} pixels, got ${width}x${height}${times}. Lift the limit with --limit-pixels if the file is to be trusted.`,
    );
  }
  const seen = { format, width, height, frames, animated, ...layout(name, metadata) };
  return { ...seen, name, metadata, open: openSource };
}
