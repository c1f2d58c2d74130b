/** @file The name inside an ICC profile (ICC.1:2022, 9.2.41 profileDescriptionTag). */

const HEADER_BYTES = 128;

/** A `desc` (ICC v2, ASCII) or `mluc` (v4, UTF-16BE, first language) text, or undefined when malformed. */
function descriptionText(tag: Buffer): string | undefined {
  const type = tag.toString('latin1', 0, 4);
  if (type === 'desc' && tag.length >= 12) {
    return tag.toString('latin1', 12, 12 + tag.readUInt32BE(8)).replace(/\0.*$/s, '');
  }
  if (type === 'mluc' && tag.length >= 28) {
    const start = tag.readUInt32BE(24);
    const bytes = Buffer.from(tag.subarray(start, start + tag.readUInt32BE(20)));
    return bytes.length % 2 === 0 ? bytes.swap16().toString('utf16le') : undefined;
  }
  return undefined;
}

/** What a profile calls itself, such as `Display P3`; undefined when it does not say. */
export function profileName(icc: Buffer): string | undefined {
  if (icc.length < HEADER_BYTES + 4) return undefined;
  const count = Math.min(icc.readUInt32BE(HEADER_BYTES), 100);
  for (let i = 0; i < count; i++) {
    const entry = HEADER_BYTES + 4 + 12 * i;
    if (entry + 12 > icc.length) return undefined;
    if (icc.toString('latin1', entry, entry + 4) !== 'desc') continue;
    const offset = icc.readUInt32BE(entry + 4);
    return descriptionText(icc.subarray(offset, offset + icc.readUInt32BE(entry + 8)));
  }
  return undefined;
}

/** Whether a profile says it is sRGB: its pixels then need no conversion, which would cost precision. */
export function isSrgb(icc: Buffer): boolean {
  return /^s\s?RGB\b/i.test(profileName(icc) ?? '');
}

/** The space of the colours that a profile describes: `RGB `, `GRAY`, `CMYK` ... (ICC.1:2022, 7.2.8). */
export function dataSpace(icc: Buffer): string {
  return icc.toString('latin1', 16, 20);
}
