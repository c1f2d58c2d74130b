/** @file libvips' own uncompressed format: a header of 64 bytes, then the rows. What sharp decodes giants into. */
import { openSync, readSync, closeSync } from 'node:fs';
import { FormatError } from '../tensor/errors.ts';
import type { ByteSink } from './byte-sink.ts';
import type { Channels } from './picture.ts';
import type { RowsHeader, RowWriter } from './row-writer.ts';

/** Bytes before the first row. */
export const VIPS_HEADER_BYTES = 64;

/** Little-endian files begin so. */
const magic = 0x08f2a6b6;
/** libvips' numbers for the formats and meanings of samples. */
const formats = { uint8: 0, uint16: 2 } as const;
const meanings = { grey8: 1, srgb: 22, rgb16: 25, grey16: 26 } as const;

/** What a file's header says. */
export interface VipsHeader {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly depth: 'uint8' | 'uint16';
}

/** @throws FormatError when it is no such file of 8 or 16 bits. */
export function readVipsHeader(file: string): VipsHeader {
  const bytes = Buffer.alloc(VIPS_HEADER_BYTES);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, bytes, 0, VIPS_HEADER_BYTES, 0);
  } finally {
    closeSync(fd);
  }
  const format = bytes.readUInt32LE(20);
  const depth = format === formats.uint8 ? 'uint8' : 'uint16';
  if (bytes.readUInt32LE(0) !== magic || format !== formats[depth]) {
    throw new FormatError(`${file}: expected decoded rows of 8 or 16 bits, got another kind.`);
  }
  return {
    width: bytes.readUInt32LE(4),
    height: bytes.readUInt32LE(8),
    channels: bytes.readUInt32LE(12) as Channels,
    depth,
  };
}

/** Starts a file for sharp to encode. */
export async function vipsWriter(sink: ByteSink, header: RowsHeader): Promise<RowWriter> {
  const { width, height, channels, bits } = header;
  const bytes = Buffer.alloc(VIPS_HEADER_BYTES);
  const grey = channels < 3;
  const meaning = bits === 8 ? (grey ? 'grey8' : 'srgb') : grey ? 'grey16' : 'rgb16';
  for (const [i, value] of [
    magic,
    width,
    height,
    channels,
    bits,
    bits === 8 ? formats.uint8 : formats.uint16,
    0,
    meanings[meaning],
  ].entries()) {
    bytes.writeUInt32LE(value, i * 4);
  }
  bytes.writeFloatLE(1, 32);
  bytes.writeFloatLE(1, 36);
  await sink.write(bytes);
  return {
    write: (rows) => sink.write(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)),
    end: async () => undefined,
  };
}
