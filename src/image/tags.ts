/** @file Tagged directories of TIFF 6.0 (and BigTIFF), which EXIF borrowed: read, and written anew. */

/** A value as it is stored, its bytes in little-endian order. */
export interface Tag {
  readonly id: number;
  /** 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL, 7 UNDEFINED, 16 LONG8 ... */
  readonly type: number;
  readonly data: Uint8Array;
  /** A directory of its own that the tag points to, as EXIF's and GPS's. */
  readonly directory?: readonly Tag[];
}

/** Bytes of one value of each type; 0 for none known. */
const sizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Bytes that are swapped together: rationals are two numbers. */
function unit(type: number): number {
  return type === 5 || type === 10 ? 4 : sizes[type]!;
}

/** Reads bytes of a file or a blob; fewer where it ends. */
export type ReadBytes = (offset: number, length: number) => Buffer;

/** Where an entry's value lies, so that it can be changed in place. */
export interface Entry {
  readonly id: number;
  readonly type: number;
  readonly count: number;
  /** Offset of the first byte of the value. */
  readonly at: number;
}

/** One directory as it lies in its file. */
export interface RawDirectory {
  readonly entries: readonly Entry[];
  /** Offset of the next directory, 0 for none, and where that offset is written. */
  readonly next: number;
  readonly nextAt: number;
}

/** Byte order and offset width, from the first bytes. */
export interface TagsHeader {
  readonly little: boolean;
  readonly big: boolean;
  /** Offset of the first directory. */
  readonly first: number;
}

/** The header of a TIFF or of an EXIF blob; undefined when it is neither. */
export function tagsHeader(read: ReadBytes): TagsHeader | undefined {
  const head = read(0, 16);
  if (head.length < 8) return undefined;
  const order = head.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return undefined;
  const little = order === 'II';
  const version = number(head, 2, 2, little);
  if (version === 42) return { little, big: false, first: number(head, 4, 4, little) };
  if (version !== 43 || head.length < 16) return undefined;
  return { little, big: true, first: number(head, 8, 8, little) };
}

function number(bytes: Buffer, at: number, length: number, little: boolean): number {
  if (at + length > bytes.length) return 0;
  if (length === 8) {
    return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  }
  return little ? bytes.readUIntLE(at, length) : bytes.readUIntBE(at, length);
}

/** Most entries that a directory of a file nobody vouches for may have. */
const mostEntries = 4096;

/** The directory at `offset`; undefined when it does not lie within the file. */
export function rawDirectory(
  read: ReadBytes,
  { little, big }: TagsHeader,
  offset: number,
): RawDirectory | undefined {
  const [countSize, entrySize, width] = big ? [8, 20, 8] : [2, 12, 4];
  const start = read(offset, countSize);
  if (offset < 8 || start.length < countSize) return undefined;
  const count = number(start, 0, countSize, little);
  const body = read(offset + countSize, count > mostEntries ? 0 : count * entrySize + width);
  if (body.length < count * entrySize + width) return undefined;
  const entries: Entry[] = [];
  for (let at = 0; at < count * entrySize; at += entrySize) {
    const type = number(body, at + 2, 2, little);
    const values = number(body, at + 4, width, little);
    const inline = values * (sizes[type] ?? 0) <= width;
    const here = offset + countSize + at + 4 + width;
    const value = inline ? here : number(body, at + 4 + width, width, little);
    entries.push({ id: number(body, at, 2, little), type, count: values, at: value });
  }
  const next = number(body, count * entrySize, width, little);
  return { entries, next, nextAt: offset + countSize + count * entrySize };
}

/** Most bytes of one value that are read. */
const longest = 2 ** 26;

/** An entry's value, in little-endian order; undefined when it does not lie within the file. */
export function valueOf(read: ReadBytes, { little }: TagsHeader, entry: Entry): Buffer | undefined {
  const length = entry.count * (sizes[entry.type] ?? 0);
  if (length === 0 || length > longest) return undefined;
  const data = Buffer.from(read(entry.at, length));
  if (data.length < length) return undefined;
  const size = unit(entry.type);
  if (!little && size === 2) data.swap16();
  if (!little && size === 4) data.swap32();
  if (!little && size === 8) data.swap64();
  return data;
}

/** Tags that point to a directory: EXIF, GPS, interoperability. */
const pointers = new Set([0x8769, 0x8825, 0xa005]);

/** The directory at `offset` with those it points to; what is broken is left out. */
export function readDirectory(
  read: ReadBytes,
  header: TagsHeader,
  offset: number,
  wanted: (id: number) => boolean = () => true,
  depth = 0,
): Tag[] {
  const tags: Tag[] = [];
  for (const entry of rawDirectory(read, header, offset)?.entries ?? []) {
    const { id, type } = entry;
    const data = wanted(id) || depth > 0 ? valueOf(read, header, entry) : undefined;
    if (!data) continue;
    if (!pointers.has(id)) tags.push({ id, type, data });
    else if (depth < 2) {
      const at = data.length >= 8 ? Number(data.readBigUInt64LE()) : data.readUInt32LE();
      tags.push({ id, type, data, directory: readDirectory(read, header, at, wanted, depth + 1) });
    }
  }
  return tags;
}

/** Tags as a directory at `offset` of a little-endian file, its values and directories after it. */
export function writeDirectory(tags: readonly Tag[], offset: number, big: boolean): Buffer {
  const [countSize, entrySize, width] = big ? [8, 20, 8] : [2, 12, 4];
  const sorted = [...tags].sort((a, b) => a.id - b.id);
  const body = Buffer.alloc(countSize + sorted.length * entrySize + width);
  body.writeUIntLE(sorted.length, 0, 2);
  const values: Buffer[] = [];
  let end = offset + body.length;
  const place = (bytes: Buffer): number => {
    const at = end;
    values.push(bytes, Buffer.alloc(bytes.length % 2));
    end += bytes.length + (bytes.length % 2);
    return at;
  };
  if (end % 2) place(Buffer.alloc(1));
  for (const [i, { id, type, data, directory }] of sorted.entries()) {
    const at = countSize + i * entrySize;
    body.writeUInt16LE(id, at);
    body.writeUInt16LE(directory ? 4 : type, at + 2);
    body.writeUInt32LE(directory ? 1 : data.length / sizes[type]!, at + 4);
    const field = at + 4 + width;
    if (directory)
      body.writeUIntLE(place(writeDirectory(directory, end, big)), field, 6 - 2 * +!big);
    else if (data.length <= width) body.set(data, field);
    else body.writeUIntLE(place(Buffer.from(data)), field, 6 - 2 * +!big);
  }
  return Buffer.concat([body, ...values]);
}

/** A tag of 16-bit numbers. */
export function shorts(id: number, ...values: number[]): Tag {
  return { id, type: 3, data: new Uint8Array(Uint16Array.from(values).buffer) };
}

/** A tag of 32-bit numbers. */
export function longs(id: number, ...values: number[]): Tag {
  return { id, type: 4, data: new Uint8Array(Uint32Array.from(values).buffer) };
}

/** A tag of one unsigned fraction, to a thousandth. */
export function rational(id: number, value: number): Tag {
  const whole = Number.isInteger(value);
  const parts = whole ? [value, 1] : [Math.round(value * 1000), 1000];
  return { id, type: 5, data: new Uint8Array(Uint32Array.from(parts).buffer) };
}
