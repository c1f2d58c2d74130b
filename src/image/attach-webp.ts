/** @file Metadata put into a WebP that was written without (WebP Container Specification, RFC 9649). */
import type { PictureMetadata } from './metadata.ts';

interface Chunk {
  readonly name: string;
  readonly body: Uint8Array;
}

/** Flags of the extended header. */
const flags = { icc: 0x20, alpha: 0x10, exif: 0x08, xmp: 0x04 } as const;

/** The WebP with profile, EXIF and XMP; it has no place for others. */
export function attachToWebp(webp: Buffer, { icc, exif, xmp }: PictureMetadata): Buffer {
  if (!icc && !exif && !xmp) return webp;
  const chunks = [...chunksOf(webp)];
  const extended = chunks.find(({ name }) => name === 'VP8X');
  const header = Buffer.from(extended?.body ?? plainHeader(chunks));
  header[0]! |= (icc ? flags.icc : 0) | (exif ? flags.exif : 0) | (xmp ? flags.xmp : 0);
  const all: Chunk[] = [{ name: 'VP8X', body: header }];
  if (icc) all.push({ name: 'ICCP', body: icc });
  all.push(...chunks.filter(({ name }) => name !== 'VP8X'));
  if (exif) all.push({ name: 'EXIF', body: exif });
  if (xmp) all.push({ name: 'XMP ', body: xmp });
  const body = Buffer.concat([Buffer.from('WEBP', 'latin1'), ...all.map(encode)]);
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

function* chunksOf(webp: Buffer): Generator<Chunk> {
  for (let at = 12; at + 8 <= webp.length;) {
    const length = webp.readUInt32LE(at + 4);
    const body = webp.subarray(at + 8, at + 8 + length);
    yield { name: webp.toString('latin1', at, at + 4), body };
    at += 8 + length + (length % 2);
  }
}

function encode({ name, body }: Chunk): Buffer {
  const head = Buffer.from(`${name}\0\0\0\0`, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

/** The extended header of a file that has none: its size and alpha, from the pixels' own. */
function plainHeader(chunks: readonly Chunk[]): Buffer {
  const { name, body } = chunks[0]!;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const lossless = name === 'VP8L';
  const packed = lossless ? bytes.readUInt32LE(1) : 0;
  const width = lossless ? (packed & 0x3fff) + 1 : bytes.readUInt16LE(6) & 0x3fff;
  const height = lossless ? ((packed >>> 14) & 0x3fff) + 1 : bytes.readUInt16LE(8) & 0x3fff;
  const header = Buffer.alloc(10);
  header[0] = (packed >>> 28) & 1 ? flags.alpha : 0;
  header.writeUIntLE(width - 1, 4, 3);
  header.writeUIntLE(height - 1, 7, 3);
  return header;
}
