/** @file Zip archives of stored entries, read by ranges (PKWARE APPNOTE 6.3.10, with zip64). */
import { FormatError } from '../tensor/errors.ts';
import { quoted } from './quoted.ts';
import { openRangeFile, type RangeFile } from './range-file.ts';

/** An open archive. */
export interface Zip {
  /** The file's name, for messages. */
  readonly label: string;
  /** Size in bytes of each entry. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Exactly `length` bytes of the entry `name` from its byte `start`. */
  read(name: string, start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

interface Entry {
  readonly size: number;
  /** Where its local header stands in the file. */
  readonly header: number;
}

const localHeader = { signature: 0x04034b50, bytes: 30 };
const centralHeader = { signature: 0x02014b50, bytes: 46 };
const endRecord = { signature: 0x06054b50, bytes: 22 };
const end64Locator = { signature: 0x07064b50, bytes: 20 };
const end64Record = { signature: 0x06064b50, bytes: 56 };
/** A central directory is a few hundred bytes a tensor; more than this is no checkpoint. */
const largestDirectory = 64 * 2 ** 20;
const zip64Extra = 1;

/**
 * Opens an archive and reads its central directory.
 *
 * @throws PathError when the file cannot be read
 * @throws FormatError when it is no zip file, is cut short, or has a compressed, encrypted or
 *   repeated entry
 */
export async function openZip(path: string): Promise<Zip> {
  const file = await openRangeFile(path);
  try {
    const { label } = file;
    const entries = await readDirectory(file);
    return {
      label,
      sizes: new Map([...entries].map(([name, { size }]) => [name, size])),
      close: () => file.close(),
      async read(name, start, length) {
        const entry = entries.get(name);
        if (!entry) throw new FormatError(`${label}: has no entry ${quoted(name)}.`);
        if (!(start >= 0 && start + length <= entry.size)) {
          throw new FormatError(
            `${label}: entry ${quoted(name)} has ${entry.size} bytes; expected ${length} at ${start}.`,
          );
        }
        return file.read((await dataStart(file, name, entry)) + start, length);
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The data follows the local header, whose name and extra field have lengths of their own. */
async function dataStart(file: RangeFile, name: string, entry: Entry): Promise<number> {
  const view = viewOf(await file.read(entry.header, localHeader.bytes));
  if (view.getUint32(0, true) !== localHeader.signature) {
    throw new FormatError(`${file.label}: entry ${quoted(name)} has no local header.`);
  }
  const start =
    entry.header + localHeader.bytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (start + entry.size > file.size) {
    throw new FormatError(`${file.label}: entry ${quoted(name)} reaches past the end of the file.`);
  }
  return start;
}

async function readDirectory(file: RangeFile): Promise<ReadonlyMap<string, Entry>> {
  const { label } = file;
  const { count, bytes, offset } = await findDirectory(file);
  if (bytes > largestDirectory || offset + bytes > file.size) {
    throw new FormatError(
      `${label}: expected a zip directory within the file, got ${bytes} bytes at ${offset}.`,
    );
  }
  const directory = await file.read(offset, bytes);
  const view = viewOf(directory);
  const entries = new Map<string, Entry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + centralHeader.bytes > bytes || view.getUint32(at, true) !== centralHeader.signature) {
      throw new FormatError(`${label}: expected ${count} zip entries, got ${i}.`);
    }
    const nameEnd = at + centralHeader.bytes + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > bytes) throw new FormatError(`${label}: the zip directory is cut short.`);
    const name = new TextDecoder().decode(directory.subarray(at + centralHeader.bytes, nameEnd));
    if (entries.has(name)) {
      throw new FormatError(`${label}: the zip entry ${quoted(name)} stands twice.`);
    }
    entries.set(name, readEntry(view, at, [nameEnd, extraEnd], `${label}: ${quoted(name)}`));
    at = end;
  }
  return entries;
}

/** One entry of the directory, at `at`; its extra field lies between the two offsets. */
function readEntry(
  view: DataView,
  at: number,
  [extra, extraEnd]: readonly [number, number],
  where: string,
): Entry {
  if (view.getUint16(at + 8, true) & 1) throw new FormatError(`${where}: is encrypted.`);
  if (view.getUint16(at + 10, true) !== 0) {
    throw new FormatError(
      `${where}: expected a stored entry as torch.save writes, got a packed one.`,
    );
  }
  const packed = view.getUint32(at + 20, true);
  let size = view.getUint32(at + 24, true);
  let header = view.getUint32(at + 42, true);
  for (let field = extra; field + 4 <= extraEnd;) {
    const next = field + 4 + view.getUint16(field + 2, true);
    if (view.getUint16(field, true) === zip64Extra && next <= extraEnd) {
      // It holds only the fields that read 0xffffffff above, in this order.
      let value = field + 4;
      const take = (): number => {
        if (value + 8 > next) throw new FormatError(`${where}: its zip64 field is cut short.`);
        value += 8;
        return Number(view.getBigUint64(value - 8, true));
      };
      if (size === 0xffffffff) size = take();
      if (packed === 0xffffffff) take();
      if (header === 0xffffffff) header = take();
    }
    field = next;
  }
  return { size, header };
}

/** Where the central directory is, by the end record and, if there is one, its zip64 form. */
async function findDirectory(
  file: RangeFile,
): Promise<{ count: number; bytes: number; offset: number }> {
  const tailBytes = Math.min(file.size, endRecord.bytes + 0xffff); // a comment may follow it
  const tailStart = file.size - tailBytes;
  const tail = viewOf(await file.read(tailStart, tailBytes));
  let at = tailBytes - endRecord.bytes;
  const isEnd = (): boolean =>
    tail.getUint32(at, true) === endRecord.signature &&
    at + endRecord.bytes + tail.getUint16(at + 20, true) === tailBytes;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) {
    throw new FormatError(
      `${file.label}: expected a zip file as torch.save writes, got one without a directory: it is cut short or of another kind.`,
    );
  }
  const locator = at - end64Locator.bytes;
  if (locator >= 0 && tail.getUint32(locator, true) === end64Locator.signature) {
    const start = Number(tail.getBigUint64(locator + 8, true));
    const record = viewOf(await file.read(start, end64Record.bytes));
    if (record.getUint32(0, true) === end64Record.signature) {
      const [count, bytes, offset] = [32, 40, 48].map((i) => Number(record.getBigUint64(i, true)));
      return { count: count!, bytes: bytes!, offset: offset! };
    }
  }
  return {
    count: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
