/** @file Small checkpoints made byte by byte, so that tests can break them: safetensors, zips, pickles. */
import { crc32 } from 'node:zlib';

/** A safetensors file of this header and data; `length` is what it says the header has. */
export function safetensorsBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(),
  length?: bigint,
): Uint8Array {
  const text = Buffer.from(header);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([size, text, data]);
}

/** What a zip is to look like. */
export interface ZipShape {
  /** Sizes and offsets in zip64 fields, as for files over 4 GiB. */
  readonly zip64?: boolean;
  /** Compression method that the entries claim. @default 0, stored */
  readonly method?: number;
  readonly flags?: number;
}

/** A zip archive with these entries. */
export function zipBytes(
  entries: readonly (readonly [name: string, data: Uint8Array])[],
  { zip64 = false, method = 0, flags = 0 }: ZipShape = {},
): Uint8Array {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, data] of entries) {
    const nameBytes = Buffer.from(name);
    const size = zip64 ? 0xffffffff : data.length;
    const extra = zip64 ? fields([2, 1], [2, 24], [8, data.length], [8, data.length], [8, at]) : [];
    const common = [
      [2, flags],
      [2, method],
      [4, 0],
      [4, crc32(data)],
      [4, size],
      [4, size],
    ] as const;
    const local = fields([4, 0x04034b50], [2, 20], ...common, [2, nameBytes.length], [2, 5]);
    const start = Buffer.concat([local, nameBytes, Buffer.alloc(5)]); // an extra field of its own
    const tail = [
      [2, nameBytes.length],
      [2, extra.length],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
    ] as const;
    const head = fields([4, 0x02014b50], [2, 20], [2, 20], ...common, ...tail);
    central.push(head, fields([4, zip64 ? 0xffffffff : at]), nameBytes, Buffer.from(extra));
    parts.push(start, Buffer.from(data));
    at += start.length + data.length;
  }
  const directory = Buffer.concat(central);
  const count = entries.length;
  const sizes = [
    [8, count],
    [8, count],
    [8, directory.length],
    [8, at],
  ] as const;
  const record64 = fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], ...sizes);
  const locator = fields([4, 0x07064b50], [4, 0], [8, at + directory.length], [4, 1]);
  const [n, bytes, offset] = zip64
    ? [0xffff, 0xffffffff, 0xffffffff]
    : [count, directory.length, at];
  const end = fields([4, 0x06054b50], [4, 0], [2, n], [2, n], [4, bytes], [4, offset], [2, 0]);
  return Buffer.concat([...parts, directory, ...(zip64 ? [record64, locator] : []), end]);
}

/** Little-endian fields of 2, 4 or 8 bytes. */
function fields(...values: readonly (readonly [size: number, value: number])[]): Buffer {
  return Buffer.concat(
    values.map(([size, value]) => {
      const bytes = Buffer.alloc(size);
      if (size === 8) bytes.writeBigUInt64LE(BigInt(value));
      else bytes.writeUIntLE(value, 0, size);
      return bytes;
    }),
  );
}

/** Opcodes for one value of a pickle. */
export type Code = Buffer;

/** A pickle of protocol 2 (or another) of one value. */
export function pickle(value: Code, protocol = 2): Uint8Array {
  return Buffer.concat([Buffer.from([0x80, protocol]), value, Buffer.from('.')]);
}

/** Opcodes as bytes, text standing for its characters. */
export function code(...parts: readonly (string | number | Buffer)[]): Code {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part]);
      return typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
    }),
  );
}

/** BINUNICODE. */
export function text(value: string): Code {
  const bytes = Buffer.from(value);
  return code('X', fields([4, bytes.length]), bytes);
}

/** BININT. */
export function int(value: number): Code {
  return code('J', fields([4, value >>> 0]));
}

/** GLOBAL. */
export function global(module: string, name: string): Code {
  return code(`c${module}\n${name}\n`);
}

/** MARK, items, TUPLE. */
export function tuple(...items: readonly Code[]): Code {
  return code('(', ...items, 't');
}

/** EMPTY_LIST, MARK, items, APPENDS. */
export function list(...items: readonly Code[]): Code {
  return code('](', ...items, 'e');
}

/** EMPTY_DICT, MARK, keys and values, SETITEMS. */
export function dict(members: Readonly<Record<string, Code>>): Code {
  return code('}(', ...Object.entries(members).flatMap(([key, value]) => [text(key), value]), 'u');
}

/** A call. */
export function call(callee: Code, ...args: readonly Code[]): Code {
  return code(callee, tuple(...args), 'R');
}

/** A typed storage by its persistent id. */
export function storage(type: string, key: string, elements: number, device = 'cpu'): Code {
  return code(
    tuple(text('storage'), global('torch', type), text(key), text(device), int(elements)),
    'Q',
  );
}

/** A tensor as torch.save writes it. */
export function rebuilt(
  stored: Code,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): Code {
  const sizes = (values: readonly number[]): Code => tuple(...values.map(int));
  const hooks = call(global('collections', 'OrderedDict'));
  const rebuild = global('torch._utils', '_rebuild_tensor_v2');
  return call(rebuild, stored, int(offset), sizes(shape), sizes(strides), code(0x89), hooks);
}

/** A checkpoint of torch.save: its pickle, and the storages by key. */
export function torchBytes(
  value: Code,
  storages: Readonly<Record<string, Uint8Array>> = {},
  shape: ZipShape = {},
): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`m/data/${key}`, bytes] as const);
  return zipBytes(
    [['m/data.pkl', pickle(value)], ...data, ['m/version', Buffer.from('3\n')]],
    shape,
  );
}

/** The bytes of float32 numbers. */
export function floats(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}
