/** @file Pictures as the bytes of a file: PNG and TIFF by our own writers, the rest by sharp (libvips). */
import type { Sharp } from 'sharp';
import { FormatError, UsageError } from '../tensor/errors.ts';
import { attachToJpeg } from './attach-jpeg.ts';
import { attachToWebp } from './attach-webp.ts';
import { type ByteSink, MemorySink } from './byte-sink.ts';
import { convertDepth, overWhite } from './convert.ts';
import { type Format, limitsOf } from './formats.ts';
import type { PictureMetadata } from './metadata.ts';
import { colorChannels, makePicture, type Picture, samplesLike } from './picture.ts';
import { pngWriter } from './png-writer.ts';
import type { RowsHeader, RowWriter } from './row-writer.ts';
import { loadSharp } from './sharp.ts';
import { tiffWriter } from './tiff-writer.ts';

/** How pictures are encoded. */
export interface EncodeOptions {
  /** 1..100, for JPEG, AVIF and lossy WebP. @default 95 */
  readonly quality?: number;
  /** WebP and AVIF without loss. @default false */
  readonly lossless?: boolean;
  /** Bits a sample, where the format leaves a choice. @default the picture's own */
  readonly bits?: 8 | 16;
}

/** Frames of one size, and what their file says beside them. */
export interface PictureFile {
  /** One, or those of an animation. */
  readonly frames: readonly Picture[];
  /** Milliseconds each frame of an animation is shown. */
  readonly delays?: readonly number[];
  /** How often an animation runs; 0 for ever. */
  readonly loop?: number;
  readonly metadata: PictureMetadata;
}

function checkQuality(quality: number): void {
  if (!(Number.isInteger(quality) && quality >= 1 && quality <= 100)) {
    throw new UsageError(`quality: expected an integer from 1 to 100, got ${quality}.`);
  }
}

/** Starts a file that is written row by row: PNG or TIFF. */
export function rowWriter(
  format: 'png' | 'tiff',
  sink: ByteSink,
  header: RowsHeader,
): Promise<RowWriter> {
  return format === 'png' ? pngWriter(sink, header) : tiffWriter(sink, header);
}

/**
 * A file's frames and metadata as the bytes of a file. What the format cannot hold is converted:
 * JPEG, WebP and GIF take 8 bits, AVIF 10, JPEG lays alpha over white, PNG and TIFF take floats as
 * 16 bits, GIF takes no metadata.
 *
 * @throws UsageError when the quality is not in 1..100; FormatError for an animation in a format of
 *   single pictures.
 */
export async function encodePictureFile(
  file: PictureFile,
  format: Format,
  options: EncodeOptions = {},
): Promise<Buffer> {
  checkQuality(options.quality ?? 95);
  const { animated, alpha } = limitsOf(format);
  if (file.frames.length > 1 && !animated) {
    throw new FormatError(
      `${limitsOf(format).label}: expected one frame, got ${file.frames.length}. Write GIF or WebP, or only the first frame.`,
    );
  }
  const frames = file.frames.map((frame) => {
    const stored = toDepth(frame, format, options.bits);
    return alpha ? stored : overWhite(stored);
  });
  const [picture] = frames as [Picture];
  switch (format) {
    case 'png':
    case 'tiff':
      return encodeRows(picture, format, file.metadata);
    case 'jpeg': {
      const pixels = await rawPixels(frames);
      const { quality = 95 } = options;
      const plain = await pixels.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
      return attachToJpeg(plain, file.metadata);
    }
    case 'webp': {
      const { quality = 95, lossless = false } = options;
      const settings = { quality, lossless, exact: true, smartSubsample: true };
      const plain = await (
        await rawPixels(frames)
      )
        .webp({ ...settings, ...timing(file) })
        .toBuffer();
      return attachToWebp(plain, file.metadata);
    }
    case 'gif':
      return (await rawPixels(frames)).gif(timing(file)).toBuffer();
    case 'avif':
      return encodeAvif(picture, file.metadata, options);
  }
}

/** Samples of the depth that is asked for and that the format can hold. */
function toDepth(picture: Picture, format: Format, bits?: 8 | 16): Picture {
  const asked = bits ?? (picture.data instanceof Uint8Array ? 8 : 16);
  const wide = asked === 16 && limitsOf(format).bits > 8;
  return convertDepth(picture, wide ? new Uint16Array() : new Uint8Array());
}

async function encodeRows(
  { width, height, channels, data }: Picture,
  format: 'png' | 'tiff',
  metadata: PictureMetadata,
): Promise<Buffer> {
  const sink = new MemorySink();
  const bits = data instanceof Uint8Array ? 8 : 16;
  const writer = await rowWriter(format, sink, { width, height, channels, bits, metadata });
  const band = Math.max(1, Math.floor(2 ** 20 / (width * channels))) * width * channels;
  for (let from = 0; from < data.length; from += band) {
    await writer.write(data.subarray(from, from + band) as Uint8Array | Uint16Array);
  }
  await writer.end();
  return sink.bytes();
}

/** Frames below each other, as sharp takes an animation. */
async function rawPixels(frames: readonly Picture[]): Promise<Sharp> {
  const [{ width, height, channels, data: first }] = frames as [Picture];
  const pages = frames.length;
  let data = first;
  if (pages > 1) {
    data = samplesLike(first, first.length * pages);
    for (const [i, frame] of frames.entries()) data.set(frame.data, i * first.length);
  }
  const sharp = await loadSharp();
  const raw = {
    width,
    height: height * pages,
    channels,
    ...(pages > 1 && { pageHeight: height }),
  };
  const pixels = sharp(data as Uint8Array, { raw, limitInputPixels: false });
  return pixels.toColourspace(channels < 3 ? 'b-w' : 'srgb');
}

function timing({ frames, delays, loop }: PictureFile): { delay?: number[]; loop?: number } {
  if (frames.length === 1) return {};
  return { ...(delays && { delay: [...delays] }), ...(loop !== undefined && { loop }) };
}

/** Only sharp writes AVIF, and it takes metadata only from a file: so it gets one. */
async function encodeAvif(
  picture: Picture,
  metadata: PictureMetadata,
  { quality = 95, lossless = false }: EncodeOptions,
): Promise<Buffer> {
  const sharp = await loadSharp();
  const { comments: _, iptc: __, ...kept } = metadata;
  const png = await encodeRows(picture, 'png', kept);
  const bitdepth = picture.data instanceof Uint8Array ? 8 : 10;
  return sharp(png, { limitInputPixels: false, ignoreIcc: true })
    .keepMetadata()
    .avif({ quality, lossless, bitdepth, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * A result that lies decoded in a file, encoded by sharp a few rows at a time.
 *
 * @param file `.v`, or for AVIF a PNG that holds the metadata
 */
export async function encodeDecoded(
  file: string,
  format: 'jpeg' | 'webp' | 'avif' | 'gif',
  metadata: PictureMetadata,
  { quality = 95, lossless = false, bits = 8 }: EncodeOptions,
): Promise<Buffer> {
  const sharp = await loadSharp();
  const pixels = sharp(file, { limitInputPixels: false, ignoreIcc: true });
  switch (format) {
    case 'jpeg': {
      const opaque = pixels.flatten({ background: '#fff' });
      const plain = await opaque.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
      return attachToJpeg(plain, metadata);
    }
    case 'webp': {
      const settings = { quality, lossless, exact: true, smartSubsample: true };
      return attachToWebp(await pixels.webp(settings).toBuffer(), metadata);
    }
    case 'gif':
      return pixels.gif().toBuffer();
    case 'avif': {
      const bitdepth = bits === 8 ? 8 : 10;
      const settings = { quality, lossless, bitdepth, chromaSubsampling: '4:4:4' } as const;
      return pixels.keepMetadata().avif(settings).toBuffer();
    }
  }
}

/** The small JPEG of EXIF, whose sides fit into `edge` pixels. */
export async function thumbnailOf(picture: Picture, edge = 160): Promise<Buffer> {
  const { width, height, channels, data } = overWhite(convertDepth(picture, new Uint8Array()));
  const sharp = await loadSharp();
  return sharp(data as Uint8Array, { raw: { width, height, channels }, limitInputPixels: false })
    .resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
    .toColourspace(colorChannels({ width, height, channels, data }) === 1 ? 'b-w' : 'srgb')
    .jpeg({ quality: 80 })
    .toBuffer();
}

/** Frames that lie below each other in one buffer. */
export function splitFrames(tall: Picture, height: number): Picture[] {
  const samples = tall.width * height * tall.channels;
  return Array.from({ length: tall.height / height }, (_, i) =>
    makePicture(
      tall.width,
      height,
      tall.channels,
      tall.data.subarray(i * samples, (i + 1) * samples),
    ),
  );
}
