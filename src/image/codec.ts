/** @file Picture files in and out, through sharp (libvips); its enlargement is never used. */
import type { Sharp } from 'sharp';
import { FormatError } from '../tensor/errors.ts';
import { encodeSrgb } from './convert.ts';
import { type EncodeOptions, encodePictureFile, type PictureFile, splitFrames } from './encode.ts';
import { checkFormat, type Format } from './formats.ts';
import { dataSpace, isSrgb } from './icc.ts';
import { metadataOf, type PictureMetadata } from './metadata.ts';
import { explainPathError } from './path-errors.ts';
import { type Channels, makePicture, type Picture, type Samples, samplesLike } from './picture.ts';
import {
  damaged,
  type PictureInfo,
  type PictureSource,
  probe,
  type Probed,
  type ProbeOptions,
} from './probe.ts';
import { writeFileSafely } from './safe-write.ts';
import { readVipsHeader, VIPS_HEADER_BYTES, type VipsHeader } from './vips-file.ts';

/** How pictures are written. */
export interface WriteOptions extends EncodeOptions {
  /** Replace what has the name already. @default false */
  readonly overwrite?: boolean;
}

/** The samples of a raw buffer from sharp, which may lie unaligned in a pool. */
function samplesOf(bytes: Buffer, depth: PictureInfo['depth']): Samples {
  if (depth === 'uint8') return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = depth === 'uint16' ? 2 : 4;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = aligned;
  return depth === 'uint16'
    ? new Uint16Array(buffer, byteOffset, byteLength / size)
    : new Float32Array(buffer, byteOffset, byteLength / size);
}

/** Of the `stored` channels sharp gives, those that are wanted: grey comes as three equal ones. */
function pick(data: Samples, stored: number, channels: Channels): Samples {
  if (stored === channels) return data;
  const out = samplesLike(data, (data.length / stored) * channels);
  for (let i = 0, o = 0; i < data.length; i += stored) {
    out[o++] = data[i]!;
    if (channels === 2) out[o++] = data[i + stored - 1]!;
  }
  return out;
}

/** Linear floats checked and sRGB-encoded. */
function encodeFloats(name: string, data: Float32Array, channels: Channels): void {
  let above = 0;
  for (const v of data) {
    if (!Number.isFinite(v)) {
      throw new FormatError(
        `${name}: expected finite samples, got ${v}. Repair it in the program that wrote it.`,
      );
    }
    if (v > 1) above++;
  }
  if (above > data.length / 2) {
    throw new FormatError(
      `${name}: expected float samples in 0..1, got ${above} of ${data.length} above 1. Scale it to 0..1 or convert it to 16 bits.`,
    );
  }
  encodeSrgb(data, channels);
}

/** Whether a profile's colours stay as they are stored: then it describes the result as well. */
function keepsProfile({ metadata }: Probed, rule: ProfileRule): boolean {
  const { icc, space } = metadata;
  if (rule !== 'keep' || icc === undefined) return false;
  const grey = ['b-w', 'grey16'].includes(space);
  return dataSpace(icc) === (grey ? 'GRAY' : 'RGB ') && (grey || ['srgb', 'rgb16'].includes(space));
}

/** sharp's names for depths. */
const rawDepths = { uint8: 'uchar', uint16: 'ushort', float32: 'float' } as const;

/** The pipeline that gives a probed file's upright pixels, all frames below each other if asked. */
function decoding(
  { open, metadata, depth }: Probed,
  { keep, pages }: { keep: boolean; pages: number },
): Sharp {
  const icc = metadata.icc;
  const plain = icc !== undefined && (keep || isSrgb(icc));
  const ignoreIcc = plain || depth === 'float32';
  const upright = open({ autoOrient: true, ignoreIcc, pages });
  if (depth === 'uint8') return upright.toColourspace('srgb');
  // A grey float has no route to linear RGB in libvips, and needs none: it is stored linear.
  if (depth === 'float32') {
    return metadata.space === 'scrgb' ? upright.toColourspace('scrgb') : upright;
  }
  const wide = upright.toColourspace('rgb16');
  // sharp takes 16-bit RGB with a profile to Display P3, and only from there to what is asked.
  const converted = icc !== undefined && !plain && metadata.space === 'rgb16';
  return converted ? wide.withIccProfile('srgb') : wide;
}

/**
 * A picture's header, cheaply: to check inputs before a model loads.
 *
 * @throws PathError when the file cannot be opened; FormatError when it is no picture, has samples of
 *   another kind, or more pixels than the limit.
 */
export async function probePicture(
  source: PictureSource,
  options?: ProbeOptions,
): Promise<PictureInfo> {
  const { format, width, height, channels, depth, frames, animated } = await probe(source, options);
  return { format, width, height, channels, depth, frames, animated };
}

/**
 * Reads a picture file: the first frame, turned upright by its EXIF orientation, in sRGB (profiles
 * are applied, CMYK converted). 8 and 16 bits stay what they are; float TIFFs are taken as linear
 * light, which they hold by convention, and come back sRGB-encoded.
 *
 * @param source a path, or the bytes of a file
 * @throws PathError when the file cannot be opened; FormatError when it is no picture, truncated,
 *   damaged, or has more pixels than the limit: that before anything is allocated.
 */
export async function readPicture(source: PictureSource, options?: ProbeOptions): Promise<Picture> {
  return decode(await probe(source, options), { keep: false, pages: 1 });
}

async function decode(
  probed: Probed,
  how: { readonly keep: boolean; readonly pages: number },
): Promise<Picture> {
  const { name, format, depth, channels } = probed;
  const { data: bytes, info } = await decoding(probed, how)
    .raw({ depth: rawDepths[depth] })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw damaged(name, format, error);
    });
  const data = pick(samplesOf(bytes, depth), info.channels, channels);
  if (data instanceof Float32Array) encodeFloats(name, data, channels);
  return makePicture(info.width, info.height, channels, data);
}

/** What becomes of a profile: colours stay as they are stored in it, or are converted to sRGB. */
export type ProfileRule = 'keep' | 'srgb';

/** How a whole file is read. */
export interface ReadFileOptions extends ProbeOptions {
  /** @default 'keep' */
  readonly profile?: ProfileRule;
}

/**
 * Reads a picture file with all frames of an animation and everything that it says beside them. As
 * `readPicture`, but colours of an RGB or grey profile stay as they are stored, unless sRGB is asked.
 */
export async function readPictureFile(
  source: PictureSource,
  options: ReadFileOptions = {},
): Promise<PictureFile> {
  const probed = await probe(source, options);
  const { metadata } = probed;
  const keep = keepsProfile(probed, options.profile ?? 'keep');
  const { icc, ...others } = metadataOf(source, metadata);
  const said = keep && icc ? { icc, ...others } : others;
  const pages = probed.animated && !options.firstFrame ? probed.frames : 1;
  const tall = await decode(probed, { keep, pages });
  if (pages === 1) return { frames: [tall], metadata: said };
  const { delay, loop } = metadata;
  return {
    frames: splitFrames(tall, probed.height),
    metadata: said,
    ...(delay && { delays: delay }),
    ...(loop !== undefined && { loop }),
  };
}

/** A picture decoded into a file, and what its own file says beside it. */
export interface DecodedFile extends VipsHeader {
  /** Where the rows begin, in bytes. */
  readonly offset: number;
  readonly metadata: PictureMetadata;
}

/**
 * Decodes a picture of 8 or 16 bits into a `.v` file, as `readPictureFile` reads it, with little memory.
 *
 * @param target a name that ends in `.v`
 * @throws FormatError for floats, which are read only into memory
 */
export async function decodePictureFile(
  source: PictureSource,
  target: string,
  options: ReadFileOptions = {},
): Promise<DecodedFile> {
  const probed = await probe(source, options);
  const { name, format, depth, channels } = probed;
  if (depth === 'float32') {
    throw new FormatError(`${name}: expected 8 or 16 bits in a picture this large, got floats.`);
  }
  const keep = keepsProfile(probed, options.profile ?? 'keep');
  const { icc, ...others } = metadataOf(source, probed.metadata);
  const pixels = decoding(probed, { keep, pages: 1 });
  const grey = depth === 'uint8' ? 'b-w' : 'grey16';
  try {
    await (channels < 3 ? pixels.toColourspace(grey) : pixels).toFile(target);
  } catch (error) {
    const path = explainPathError(error, target);
    throw path === error ? damaged(name, format, error) : path;
  }
  const metadata = keep && icc ? { icc, ...others } : others;
  return { ...readVipsHeader(target), offset: VIPS_HEADER_BYTES, metadata };
}

/** A small JPEG of a picture file, for the EXIF of a result that never is in memory. */
export async function thumbnailOfFile(source: PictureSource): Promise<Buffer> {
  const { open } = await probe(source, { limitPixels: Infinity });
  return open({ autoOrient: true })
    .resize(160, 160, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#fff' })
    .jpeg({ quality: 80 })
    .toBuffer();
}

/**
 * The result of a caller's own sharp pipeline; 16-bit inputs stay 16-bit, anything else is bytes.
 *
 * @throws FormatError when the pipeline fails.
 */
export async function readPipeline(pipeline: Sharp): Promise<Picture> {
  try {
    const wide = (await pipeline.metadata()).depth === 'ushort';
    const { data: bytes, info } = await pipeline
      .clone()
      .toColourspace(wide ? 'rgb16' : 'srgb')
      .raw({ depth: wide ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const data = samplesOf(bytes, wide ? 'uint16' : 'uint8');
    return makePicture(info.width, info.height, info.channels, data);
  } catch (error) {
    throw new FormatError(
      `sharp pipeline: expected a picture, got an error (${(error as Error).message}).`,
      { cause: error },
    );
  }
}

/** A picture as the bytes of a file without metadata: see `encodePictureFile` for what is converted. */
export async function encodePicture(
  picture: Picture,
  format: Format,
  options: EncodeOptions = {},
): Promise<Buffer> {
  return encodePictureFile({ frames: [picture], metadata: {} }, format, options);
}

/**
 * Writes a picture file in the format of its extension (.png, .jpg, .webp, .tif, .avif, .gif), whole or not at
 * all: see `encodePicture` for what is converted and `writeFileSafely` for how it appears.
 *
 * @throws FormatError when the extension is unknown or the picture too large for the format;
 *   PathError when the file exists and `overwrite` is not set, or cannot be written.
 */
export async function writePicture(
  picture: Picture,
  file: string,
  options: WriteOptions = {},
): Promise<void> {
  const format = checkFormat(file, picture.width, picture.height);
  await writeFileSafely(file, await encodePicture(picture, format, options), options);
}

/** Writes frames and metadata as `writePicture` writes a picture. */
export async function writePictureFile(
  picture: PictureFile,
  file: string,
  options: WriteOptions = {},
): Promise<void> {
  const { width, height } = picture.frames[0]!;
  const format = checkFormat(file, width, height);
  await writeFileSafely(file, await encodePictureFile(picture, format, options), options);
}
