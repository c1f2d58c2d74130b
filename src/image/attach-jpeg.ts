/** @file Metadata put into a JPEG that was written without (JFIF 1.02, EXIF 2.32, XMP part 3, ICC.1 annex B). */
import type { PictureMetadata } from './metadata.ts';
import { photoshopResource } from './photoshop.ts';

/** A segment's longest body: its length is written in 16 bits and counts itself. */
const longest = 65533;

function segment(marker: number, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
  );
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}

/** The JPEG with its metadata after the JFIF header. What no segment can hold is left out. */
export function attachToJpeg(jpeg: Buffer, metadata: PictureMetadata): Buffer {
  const { icc, exif, xmp, iptc, density } = metadata;
  const out = Buffer.from(jpeg);
  let at = 2;
  if (out[2] === 0xff && out[3] === 0xe0) {
    at = 4 + out.readUInt16BE(4);
    if (density !== undefined) {
      out[13] = 1; // dots per inch
      out.writeUInt16BE(Math.min(65535, Math.round(density)), 14);
      out.writeUInt16BE(Math.min(65535, Math.round(density)), 16);
    }
  }
  const segments: Buffer[] = [];
  const fits = (bytes: Uint8Array, name: string): boolean => bytes.length + name.length <= longest;
  const exifName = 'Exif\0\0';
  if (exif && fits(exif, exifName)) segments.push(segment(0xe1, exifName, exif));
  const xmpName = 'http://ns.adobe.com/xap/1.0/\0';
  if (xmp) {
    // The room that editors leave for changes may be what makes it too long.
    const tight = fits(xmp, xmpName)
      ? xmp
      : Buffer.from(xmp.toString('utf8').replace(/\s{64,}/g, '\n'));
    if (fits(tight, xmpName)) segments.push(segment(0xe1, xmpName, tight));
  }
  if (iptc) {
    const resource = photoshopResource(iptc);
    const name = 'Photoshop 3.0\0';
    if (fits(resource, name)) segments.push(segment(0xed, name, resource));
  }
  if (icc) {
    const room = longest - 14;
    const count = Math.ceil(icc.length / room);
    const parts = count > 255 ? [] : Array.from({ length: count }, (_, i) => i * room);
    for (const [i, from] of parts.entries()) {
      const part = icc.subarray(from, from + room);
      segments.push(segment(0xe2, 'ICC_PROFILE\0', Uint8Array.of(i + 1, count), part));
    }
  }
  return Buffer.concat([out.subarray(0, at), ...segments, out.subarray(at)]);
}
