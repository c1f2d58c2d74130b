/** @file What a picture file says beside its pixels, and how that is made true of an enlarged picture. */
import { openSync, closeSync, readSync } from 'node:fs';
import type { Metadata } from 'sharp';
import { bareExif, correctedExif, exifOf, hasThumbnail } from './exif.ts';
import { iptcRecords } from './photoshop.ts';
import type { PictureSource } from './probe.ts';
import { type ReadBytes, readDirectory, type Tag, tagsHeader } from './tags.ts';

/** What a file says beside its pixels. All of it may be missing. */
export interface PictureMetadata {
  /** Profile of the stored colours, when they are still stored in it. */
  readonly icc?: Buffer;
  /** From its byte order mark on. */
  readonly exif?: Buffer;
  readonly xmp?: Buffer;
  /** IPTC-IIM records. */
  readonly iptc?: Buffer;
  /** Dots per inch. */
  readonly density?: number;
  /** PNG's texts. */
  readonly comments?: readonly { readonly keyword: string; readonly text: string }[];
}

/** What becomes of the density: as it was, multiplied by the scale (the print keeps its size), or a number. */
export type DensityRule = 'keep' | 'scale' | number;

/** Tags that describe a TIFF's picture, rather than how its pixels are stored. */
const descriptive = new Set([
  0x10d, 0x10e, 0x10f, 0x110, 0x11d, 0x131, 0x132, 0x13b, 0x13c, 0x8298, 0x8769, 0x8825, 0x4746,
  0x4749, 0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f,
]);

/** The metadata of a file, from what sharp tells of it and, for TIFF, from its tags. */
export function metadataOf(source: PictureSource, sharp: Metadata): PictureMetadata {
  const { icc, exif, xmp, iptc, density, comments } = sharp;
  const tiff = sharp.format === 'tiff' ? tiffTags(source) : {};
  const records = iptc && iptcRecords(iptc);
  return {
    ...(icc && { icc }),
    ...(exif && { exif: bareExif(exif) }),
    ...(xmp && { xmp }),
    ...(records && { iptc: records }),
    ...(density !== undefined && density > 0 && saysDensity(source, sharp) && { density }),
    ...(comments && { comments }),
    ...tiff,
  };
}

/** Whether a density is the file's: libvips says 72 of a PNG that says none. */
function saysDensity(source: PictureSource, { format, density }: Metadata): boolean {
  if (format !== 'png' || density !== 72) return true;
  const { read, close } = readerOf(source);
  try {
    for (let at = 8; ;) {
      const head = read(at, 8);
      const name = head.toString('latin1', 4, 8);
      if (head.length < 8 || name === 'IDAT') return false;
      if (name === 'pHYs') return true;
      at += 12 + head.readUInt32BE(0);
    }
  } finally {
    close();
  }
}

function tiffTags(source: PictureSource): Pick<PictureMetadata, 'exif' | 'density'> {
  const { read, close } = readerOf(source);
  try {
    const header = tagsHeader(read);
    if (!header) return {};
    const wanted = (id: number): boolean => descriptive.has(id) || [0x11a, 0x128].includes(id);
    const tags = readDirectory(read, header, header.first, wanted);
    const kept = tags.filter(({ id }) => descriptive.has(id));
    const density = densityOf(tags);
    return {
      ...(kept.length > 0 && { exif: exifOf(kept) }),
      ...(density !== undefined && { density }),
    };
  } finally {
    close();
  }
}

function densityOf(tags: readonly Tag[]): number | undefined {
  const resolution = tags.find(({ id }) => id === 0x11a)?.data;
  const unit = tags.find(({ id }) => id === 0x128)?.data[0] ?? 2;
  if (!resolution || resolution.length < 8 || unit === 1) return undefined;
  const bytes = Buffer.from(resolution);
  const value = (bytes.readUInt32LE(0) / bytes.readUInt32LE(4)) * (unit === 3 ? 2.54 : 1);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

function readerOf(source: PictureSource): { read: ReadBytes; close: () => void } {
  if (typeof source !== 'string') {
    const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    return { read: (at, length) => bytes.subarray(at, at + length), close: () => undefined };
  }
  const file = openSync(source, 'r');
  const read: ReadBytes = (at, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, at <= 2 ** 50 ? readSync(file, bytes, 0, length, at) : 0);
  };
  return { read, close: () => closeSync(file) };
}

/** XMP that says of the picture what is true now. */
function correctedXmp(xmp: Buffer, width: number, height: number): Buffer {
  const values: readonly (readonly [string, number])[] = [
    ['tiff:Orientation', 1],
    ['tiff:ImageWidth', width],
    ['tiff:ImageLength', height],
    ['exif:PixelXDimension', width],
    ['exif:PixelYDimension', height],
  ];
  let text = xmp.toString('utf8');
  for (const [name, value] of values) {
    text = text
      .replace(new RegExp(`(\\b${name}\\s*=\\s*["'])\\d+`, 'g'), `$1${value}`)
      .replace(new RegExp(`(<${name}>\\s*)\\d+`, 'g'), `$1${value}`);
  }
  return Buffer.from(text, 'utf8');
}

/** What becomes of a file's metadata. */
export interface MetadataChanges {
  /** Size of the result in pixels. */
  readonly width: number;
  readonly height: number;
  /** Size of the result over size of the input. */
  readonly scale: number;
  readonly density: DensityRule;
  /** Leave out EXIF, XMP, IPTC and texts; the profile stays, without which colours would change. */
  readonly strip: boolean;
  /** A small JPEG of the result, asked for when there was one. */
  readonly thumbnail: () => Promise<Buffer>;
}

/** The metadata that an enlarged, upright picture gets from its input's. */
export async function correctedMetadata(
  metadata: PictureMetadata,
  changes: MetadataChanges,
): Promise<PictureMetadata> {
  const { width, height, scale, strip } = changes;
  const { icc, exif, xmp, iptc, comments } = metadata;
  const density = newDensity(metadata.density, changes.density, scale);
  const kept = { ...(icc && { icc }), ...(density !== undefined && { density }) };
  if (strip) return kept;
  const thumbnail = exif && hasThumbnail(exif) ? await changes.thumbnail() : undefined;
  const corrected = exif && correctedExif(exif, { width, height, density, thumbnail });
  return {
    ...kept,
    ...(corrected && { exif: corrected }),
    ...(xmp && { xmp: correctedXmp(xmp, width, height) }),
    ...(iptc && { iptc }),
    ...(comments && { comments }),
  };
}

function newDensity(
  density: number | undefined,
  rule: DensityRule,
  scale: number,
): number | undefined {
  if (typeof rule === 'number') return rule;
  return density !== undefined && rule === 'scale' ? density * scale : density;
}
