/** @file EXIF made true of an enlarged picture: upright, of its new size, with its own thumbnail (EXIF 2.32). */
import {
  type Entry,
  rawDirectory,
  type ReadBytes,
  shorts,
  type Tag,
  type TagsHeader,
  tagsHeader,
  writeDirectory,
} from './tags.ts';

/** What the picture has become. */
export interface ExifChanges {
  readonly width: number;
  readonly height: number;
  /** Dots per inch; undefined leaves what is said. */
  readonly density?: number | undefined;
  /** A small JPEG of the result; without one, EXIF's old thumbnail is taken out. */
  readonly thumbnail?: Uint8Array | undefined;
}

const tag = {
  width: 0x100,
  height: 0x101,
  orientation: 0x112,
  xResolution: 0x11a,
  yResolution: 0x11b,
  resolutionUnit: 0x128,
  thumbnailAt: 0x201,
  thumbnailLength: 0x202,
  exif: 0x8769,
  pixelWidth: 0xa002,
  pixelHeight: 0xa003,
} as const;

/** An EXIF blob without the name that JPEG and WebP put before it. */
export function bareExif(exif: Buffer): Buffer {
  return exif.toString('latin1', 0, 6) === 'Exif\0\0' ? exif.subarray(6) : exif;
}

/** Reads from bytes in memory. */
export function reader(bytes: Buffer): ReadBytes {
  return (offset, length) => bytes.subarray(offset, offset + length);
}

/** Whether EXIF has a thumbnail in JPEG. */
export function hasThumbnail(exif: Buffer): boolean {
  const header = tagsHeader(reader(exif));
  const next = header && rawDirectory(reader(exif), header, header.first)?.next;
  const second = next ? rawDirectory(reader(exif), header, next) : undefined;
  return second?.entries.some(({ id }) => id === tag.thumbnailAt) ?? false;
}

/**
 * EXIF with orientation 1, the new size and density, and the thumbnail replaced or taken out. Values
 * are changed where they lie, because makers' notes point to places in the blob.
 *
 * @param exif from its byte order mark on
 * @returns undefined when it is no EXIF
 */
export function correctedExif(exif: Buffer, changes: ExifChanges): Buffer | undefined {
  const bytes = Buffer.from(exif);
  const header = tagsHeader(reader(bytes));
  const first = header && rawDirectory(reader(bytes), header, header.first);
  if (!header || !first || header.big) return undefined;
  const { width, height, density, thumbnail } = changes;
  const set = (entries: readonly Entry[], id: number, value: number): void => {
    const entry = entries.find((candidate) => candidate.id === id);
    if (entry && inside(bytes, entry)) setNumber(bytes, header, entry, value);
  };
  set(first.entries, tag.orientation, 1);
  set(first.entries, tag.width, width);
  set(first.entries, tag.height, height);
  if (density !== undefined) {
    set(first.entries, tag.xResolution, density);
    set(first.entries, tag.yResolution, density);
    set(first.entries, tag.resolutionUnit, 2);
  }
  const pointer = first.entries.find(({ id }) => id === tag.exif);
  const own = pointer && inside(bytes, pointer) ? uint32(bytes, header, pointer.at) : 0;
  const detail = own ? rawDirectory(reader(bytes), header, own) : undefined;
  set(detail?.entries ?? [], tag.pixelWidth, width);
  set(detail?.entries ?? [], tag.pixelHeight, height);

  const second = first.next ? rawDirectory(reader(bytes), header, first.next) : undefined;
  const at = second?.entries.find(({ id }) => id === tag.thumbnailAt);
  const length = second?.entries.find(({ id }) => id === tag.thumbnailLength);
  if (!second || !at || !length || !thumbnail) {
    putUint32(bytes, header, first.nextAt, 0);
    return bytes;
  }
  set(second.entries, tag.orientation, 1);
  const start = uint32(bytes, header, at.at);
  const size = uint32(bytes, header, length.at);
  // The old thumbnail mostly ends the blob: then the new one takes its place.
  const kept = start + size === bytes.length && start > second.nextAt ? start : bytes.length;
  putUint32(bytes, header, at.at, kept);
  putUint32(bytes, header, length.at, thumbnail.length);
  return Buffer.concat([bytes.subarray(0, kept), thumbnail]);
}

function inside(bytes: Buffer, { at, type }: Entry): boolean {
  return at >= 8 && at + (type === 5 ? 8 : 4) <= bytes.length;
}

function setNumber(bytes: Buffer, header: TagsHeader, { type, at }: Entry, value: number): void {
  if (type === 3) {
    const short = Math.min(value, 0xffff);
    if (header.little) bytes.writeUInt16LE(short, at);
    else bytes.writeUInt16BE(short, at);
  } else if (type === 4) {
    putUint32(bytes, header, at, value);
  } else if (type === 5) {
    putUint32(bytes, header, at, Math.round(value * 1000));
    putUint32(bytes, header, at + 4, 1000);
  }
}

function uint32(bytes: Buffer, { little }: TagsHeader, at: number): number {
  return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

function putUint32(bytes: Buffer, { little }: TagsHeader, at: number, value: number): void {
  if (little) bytes.writeUInt32LE(value, at);
  else bytes.writeUInt32BE(value, at);
}

/** A new EXIF blob of these tags. */
export function exifOf(tags: readonly Tag[]): Buffer {
  const head = Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]);
  const upright = tags.filter(({ id }) => id !== tag.orientation);
  return Buffer.concat([head, writeDirectory([...upright, shorts(tag.orientation, 1)], 8, false)]);
}
