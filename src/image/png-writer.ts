/** @file PNG written row by row, with everything its file said beside the pixels (PNG, 3rd edition). */
import { once } from 'node:events';
import { constants, crc32, createDeflate, deflateSync, type Deflate } from 'node:zlib';
import type { ByteSink } from './byte-sink.ts';
import type { PictureMetadata } from './metadata.ts';
import { photoshopResource } from './photoshop.ts';
import { PngFilter } from './png-filter.ts';
import type { RowsHeader, RowWriter } from './row-writer.ts';

/** Colour types by the number of channels. */
const colorTypes = [0, 0, 4, 2, 6] as const;

/** Bytes of compressed data that make one chunk. */
const chunkBytes = 2 ** 20;

/** A chunk with its length, name and checksum. */
function chunk(name: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The international text chunk: keyword, no compression, no language. */
function internationalText(keyword: string, text: Uint8Array): Buffer {
  return chunk('iTXt', Buffer.concat([latin(`${keyword}\0\0\0\0\0`), text]));
}

/** Chunks that come before the pixels. */
function metadataChunks({ icc, exif, xmp, iptc, density, comments }: PictureMetadata): Buffer[] {
  const chunks: Buffer[] = [];
  if (icc) chunks.push(chunk('iCCP', Buffer.concat([latin('ICC profile\0\0'), deflateSync(icc)])));
  if (density !== undefined) {
    const body = Buffer.alloc(9);
    const perMetre = Math.round(density / 0.0254);
    body.writeUInt32BE(perMetre, 0);
    body.writeUInt32BE(perMetre, 4);
    body[8] = 1;
    chunks.push(chunk('pHYs', body));
  }
  if (exif) chunks.push(chunk('eXIf', exif));
  if (xmp) chunks.push(internationalText('XML:com.adobe.xmp', xmp));
  if (iptc) {
    // PNG has no place for it; ImageMagick's, which readers know, is hexadecimal text.
    const resource = photoshopResource(iptc);
    const lines = resource.toString('hex').replace(/.{72}/g, '$&\n');
    const text = `\niptc\n${String(resource.length).padStart(8)}\n${lines}\n`;
    const head = latin('Raw profile type iptc\0\0');
    chunks.push(chunk('zTXt', Buffer.concat([head, deflateSync(latin(text))])));
  }
  for (const { keyword, text } of comments ?? []) {
    chunks.push(internationalText(keyword, Buffer.from(text, 'utf8')));
  }
  return chunks;
}

/** Starts a PNG. The picture is compressed in other threads while the next rows are made. */
export async function pngWriter(sink: ByteSink, header: RowsHeader): Promise<RowWriter> {
  const { width, height, channels, bits, metadata } = header;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = bits;
  head[9] = colorTypes[channels];
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  await sink.write(Buffer.concat([signature, chunk('IHDR', head), ...metadataChunks(metadata)]));
  const pixelBytes = (channels * bits) / 8;
  const rowBytes = width * pixelBytes;
  const filter = new PngFilter(rowBytes, pixelBytes);
  const deflate = createDeflate({ strategy: constants.Z_FILTERED, chunkSize: chunkBytes });
  const written = drain(deflate, sink);
  written.catch(() => undefined); // thrown by the next write or the end
  return {
    async write(rows) {
      const bytes = bits === 16 ? bigEndian(rows as Uint16Array) : (rows as Uint8Array);
      const count = bytes.length / rowBytes;
      const out = Buffer.allocUnsafe(count * (rowBytes + 1));
      for (let y = 0; y < count; y++) {
        filter.next(bytes.subarray(y * rowBytes, (y + 1) * rowBytes), out, y * (rowBytes + 1));
      }
      if (!deflate.write(out)) await Promise.race([once(deflate, 'drain'), written]);
    },
    async end() {
      deflate.end();
      await written;
      await sink.write(chunk('IEND', Buffer.alloc(0)));
    },
  };
}

async function drain(deflate: Deflate, sink: ByteSink): Promise<void> {
  try {
    for await (const part of deflate) await sink.write(chunk('IDAT', part as Buffer));
  } catch (error) {
    deflate.destroy();
    throw error;
  }
}

function bigEndian(samples: Uint16Array): Buffer {
  const copy = Buffer.from(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  return copy.swap16();
}
