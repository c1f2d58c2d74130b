/** @file The resource of Photoshop's that JPEG and PNG carry IPTC records in. */

/** IPTC records as resource 0x0404. */
export function photoshopResource(iptc: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.write('8BIM', 0, 'latin1');
  head.writeUInt16BE(0x0404, 4);
  head.writeUInt32BE(iptc.length, 8);
  return Buffer.concat([head, iptc, Buffer.alloc(iptc.length % 2)]);
}

/** The records in a block of resources, or as they are when they stand alone. */
export function iptcRecords(block: Buffer): Buffer | undefined {
  const name = 'Photoshop 3.0\0';
  let at = block.toString('latin1', 0, name.length) === name ? name.length : 0;
  if (block.toString('latin1', at, at + 4) !== '8BIM') return block[0] === 0x1c ? block : undefined;
  while (at + 12 <= block.length && block.toString('latin1', at, at + 4) === '8BIM') {
    const id = block.readUInt16BE(at + 4);
    const body = at + 6 + ((block[at + 6]! + 2) & ~1); // past a name of even length
    if (body + 4 > block.length) return undefined;
    const length = block.readUInt32BE(body);
    if (id === 0x0404) return block.subarray(body + 4, body + 4 + length);
    at = body + 4 + length + (length % 2);
  }
  return undefined;
}
