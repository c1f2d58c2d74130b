/** @file A picture's enlarged rows on demand: from memory, or from a raw file that never is in memory. */
import { readSync } from 'node:fs';
import { bleedColor } from '../image/bleed.ts';
import {
  alphaOf,
  type Channels,
  makePicture,
  type Picture,
  withoutAlpha,
} from '../image/picture.ts';
import { BandResizer } from '../image/resample.ts';
import { FormatError } from '../tensor/errors.ts';
import type { Size } from './size.ts';

/** The enlarged picture, from which tiles are cut and that colours are matched to. */
export interface RowSource {
  readonly width: number;
  readonly height: number;
  /** Rows `from` to `to` without their alpha. */
  color(from: number, to: number): Picture;
  /** Alpha of these rows; undefined where the picture has none. */
  alpha(from: number, to: number): Picture | undefined;
}

/** Decoded samples in a file: rows from the top, interleaved, in the machine's byte order. */
export interface RawFile extends Size {
  /** An open file. */
  readonly fd: number;
  /** Where the first row begins, in bytes. */
  readonly offset: number;
  readonly channels: Channels;
  readonly depth: 'uint8' | 'uint16';
}

/**
 * How many source rows around a band are looked at for the colour that alpha hides. Halved pictures
 * of bands that begin at multiples of it fall on one grid, so that bands agree.
 */
const bleedReach = 64;

/** Rows of an enlarged picture that is in memory. */
export function pictureRows(color: Picture, alpha: Picture | undefined): RowSource {
  const part = (picture: Picture, from: number, to: number): Picture => {
    const row = picture.width * picture.channels;
    return { ...picture, height: to - from, data: picture.data.subarray(from * row, to * row) };
  };
  return {
    width: color.width,
    height: color.height,
    color: (from, to) => part(color, from, to),
    alpha: (from, to) => alpha && part(alpha, from, to),
  };
}

/** Rows of a raw file, enlarged as they are asked for; those asked for last are kept. */
export function rawRows(source: RawFile, { width, height }: Size): RowSource {
  const resizer = new BandResizer(source, width, height);
  let kept: { readonly picture: Picture; readonly from: number; readonly to: number } | undefined;

  const enlarged = (from: number, to: number): Picture => {
    const needed = resizer.needs(from, to);
    if (source.channels % 2 === 1) {
      return resizer.rows(readRows(source, needed.from, needed.to), needed.from, from, to);
    }
    const first = Math.max(0, (Math.floor(needed.from / bleedReach) - 1) * bleedReach);
    const last = Math.min(source.height, needed.to + bleedReach);
    return resizer.rows(bleedColor(readRows(source, first, last)), first, from, to);
  };
  /** Rows again, of which those at hand are copied: tiles overlap. */
  const rows = (from: number, to: number): Picture => {
    if (kept && from >= kept.from && to <= kept.to)
      return cut(kept.picture, from - kept.from, to - kept.from);
    const overlap = kept && from >= kept.from && from < kept.to ? kept : undefined;
    const start = overlap?.to ?? from;
    const fresh = enlarged(start, to);
    const picture = overlap
      ? join(cut(overlap.picture, from - overlap.from, start - overlap.from), fresh)
      : fresh;
    kept = { picture, from, to };
    return picture;
  };
  return {
    width,
    height,
    color: (from, to) => withoutAlpha(rows(from, to)),
    alpha: (from, to) => alphaOf(rows(from, to)),
  };
}

/** Rows `from` to `to` of a raw file. */
function readRows(file: RawFile, from: number, to: number): Picture {
  const { fd, offset, width, channels, depth } = file;
  const samples = (to - from) * width * channels;
  const data = depth === 'uint8' ? new Uint8Array(samples) : new Uint16Array(samples);
  const row = width * channels * data.BYTES_PER_ELEMENT;
  readFully(fd, data, offset + from * row);
  return makePicture(width, to - from, channels, data);
}

/** Fills `data` with a file's bytes from `position` on. */
export function readFully(fd: number, data: Uint8Array | Uint16Array, position: number): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length;) {
    const count = readSync(
      fd,
      bytes,
      done,
      Math.min(bytes.length - done, 2 ** 30),
      position + done,
    );
    if (count === 0) {
      throw new FormatError('raw rows: expected a whole file, got one that ends early. Try again.');
    }
    done += count;
  }
}

function cut(picture: Picture, from: number, to: number): Picture {
  const row = picture.width * picture.channels;
  return { ...picture, height: to - from, data: picture.data.subarray(from * row, to * row) };
}

function join(a: Picture, b: Picture): Picture {
  const data =
    a.data instanceof Uint8Array
      ? new Uint8Array(a.data.length + b.data.length)
      : new Uint16Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { ...a, height: a.height + b.height, data };
}
