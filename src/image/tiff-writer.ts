/** @file TIFF 6.0 written row by row, deflated in strips; BigTIFF where 4 GiB may not do. */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { ByteSink } from './byte-sink.ts';
import { reader } from './exif.ts';
import type { PictureMetadata } from './metadata.ts';
import type { RowsHeader, RowWriter } from './row-writer.ts';
import {
  longs,
  rational,
  readDirectory,
  shorts,
  type Tag,
  tagsHeader,
  writeDirectory,
} from './tags.ts';

const compress = promisify(deflate);

/** Bytes of pixels that are compressed together, about: more in files of more than this many strips. */
const stripBytes = 2 ** 18;
const mostStrips = 2 ** 14;
/** Strips that are compressed at a time: as many as libuv has threads. */
const together = 4;

/** Whether offsets need 64 bits, should nothing compress. */
function needsBig(bytes: number): boolean {
  return bytes > 2 ** 32 - 2 ** 24;
}

/** Tags that the pixels' layout decides, whatever the input's were. */
const ownTags = new Set([
  0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x112, 0x115, 0x116, 0x117, 0x11a, 0x11b, 0x11c, 0x128,
  0x13d, 0x152, 0x153, 0x213,
]);

/** The tags that say what the input's file said. */
function metadataTags({ icc, exif, xmp, iptc, density }: PictureMetadata): Tag[] {
  const tags: Tag[] = [];
  const header = exif && tagsHeader(reader(exif));
  if (exif && header) {
    tags.push(
      ...readDirectory(reader(exif), header, header.first).filter(({ id }) => !ownTags.has(id)),
    );
  }
  if (xmp) tags.push({ id: 0x2bc, type: 1, data: xmp });
  if (iptc) tags.push({ id: 0x83bb, type: 7, data: iptc });
  if (icc) tags.push({ id: 0x8773, type: 7, data: icc });
  if (density !== undefined) {
    tags.push(rational(0x11a, density), rational(0x11b, density), shorts(0x128, 2));
  }
  return tags;
}

/** Starts a TIFF file; `end` writes its directory and points the header to it. */
export async function tiffWriter(sink: ByteSink, header: RowsHeader): Promise<RowWriter> {
  const { width, height, channels, bits, metadata } = header;
  const rowBytes = (width * channels * bits) / 8;
  const big = needsBig(rowBytes * height);
  await sink.write(
    big
      ? Buffer.from('II+\0\x08\0\0\0\0\0\0\0\0\0\0\0', 'latin1')
      : Buffer.from('II*\0\0\0\0\0', 'latin1'),
  );
  const rowsPerStrip = Math.min(
    height,
    Math.max(1, Math.floor(Math.max(stripBytes, (rowBytes * height) / mostStrips) / rowBytes)),
  );
  const stripSamples = rowsPerStrip * width * channels;
  const Samples = bits === 16 ? Uint16Array : Uint8Array;
  const offsets: number[] = [];
  const lengths: number[] = [];
  let strip = new Samples(stripSamples);
  let filled = 0;
  let full: (Uint8Array | Uint16Array)[] = [];

  const flush = async (): Promise<void> => {
    const packed = await Promise.all(
      full.map((samples) => {
        predict(samples, width, channels);
        return compress(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
      }),
    );
    full = [];
    for (const bytes of packed) {
      offsets.push(sink.position);
      lengths.push(bytes.length);
      await sink.write(bytes.length % 2 ? Buffer.concat([bytes, Buffer.alloc(1)]) : bytes);
    }
  };
  return {
    async write(rows) {
      for (let from = 0; from < rows.length;) {
        const count = Math.min(rows.length - from, stripSamples - filled);
        strip.set(rows.subarray(from, from + count), filled);
        filled += count;
        from += count;
        if (filled < stripSamples) continue;
        full.push(strip);
        strip = new Samples(stripSamples);
        filled = 0;
        if (full.length === together) await flush();
      }
    },
    async end() {
      if (filled > 0) full.push(strip.subarray(0, filled));
      await flush();
      const places = big ? long8s : longs;
      const tags = [
        longs(0x100, width),
        longs(0x101, height),
        shorts(0x102, ...Array.from({ length: channels }, () => bits)),
        shorts(0x103, 8), // deflate
        shorts(0x106, channels < 3 ? 1 : 2), // black is zero, or RGB
        places(0x111, ...offsets),
        shorts(0x112, 1),
        shorts(0x115, channels),
        longs(0x116, rowsPerStrip),
        places(0x117, ...lengths),
        shorts(0x11c, 1),
        shorts(0x13d, 2), // differences along the row
        ...(channels % 2 === 0 ? [shorts(0x152, 2)] : []), // alpha that the colour was not multiplied by
        ...metadataTags(metadata),
      ];
      const at = sink.position;
      await sink.write(writeDirectory(tags, at, big));
      const pointer = Buffer.alloc(big ? 8 : 4);
      pointer.writeUIntLE(at, 0, big ? 6 : 4);
      await sink.patch(big ? 8 : 4, pointer);
    },
  };
}

function long8s(id: number, ...values: number[]): Tag {
  return { id, type: 16, data: new Uint8Array(BigUint64Array.from(values, BigInt).buffer) };
}

/** Every sample but a row's first becomes its difference to the one before, in place. */
function predict(samples: Uint8Array | Uint16Array, width: number, channels: number): void {
  const row = width * channels;
  for (let start = 0; start < samples.length; start += row) {
    for (let i = start + row - 1; i >= start + channels; i--) samples[i]! -= samples[i - channels]!;
  }
}
