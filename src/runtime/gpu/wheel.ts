/** @file Takes single files out of a wheel, which is a zip (PKWARE APPNOTE 6.3, sections 4.3.7 to 4.3.16). */
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { FormatError } from '../../tensor/errors.ts';

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly stored: number;
  readonly offset: number;
}

/**
 * Writes the files of a wheel that `takes` names below `folder`, each whole or not at all.
 *
 * @param rename what each is called there; its name in the wheel by default
 * @returns the paths below `folder`
 * @throws FormatError when it is no zip
 */
export async function extractWheel(
  path: string,
  folder: string,
  takes: (name: string) => boolean,
  called: (name: string) => string = (name) => name,
): Promise<readonly string[]> {
  const file = await open(path);
  const written: string[] = [];
  try {
    for (const entry of await entries(file, path)) {
      if (!takes(entry.name)) continue;
      if (entry.name.split('/').includes('..') || entry.name.startsWith('/')) {
        throw new FormatError(`${path}: expected names below the wheel, got "${entry.name}".`);
      }
      const target = join(folder, called(entry.name));
      await mkdir(dirname(target), { recursive: true });
      await writeEntry(file, entry, target, path);
      written.push(called(entry.name));
    }
  } finally {
    await file.close();
  }
  return written;
}

/** The central directory, found from its end record. */
async function entries(file: FileHandle, path: string): Promise<Entry[]> {
  const { size } = await file.stat();
  const tail = await read(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0) throw new FormatError(`${path}: expected a wheel, got a file that is no zip.`);
  const count = tail.readUInt16LE(end + 10);
  const [length, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  const directory = await read(file, start, length);
  const found: Entry[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50) {
      throw new FormatError(`${path}: expected ${count} files in the zip, got ${i}.`);
    }
    const [nameLength, extra, comment] = [28, 30, 32].map((o) =>
      directory.readUInt16LE(at + o),
    ) as [number, number, number];
    found.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      stored: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + extra + comment;
  }
  return found;
}

async function writeEntry(
  file: FileHandle,
  { name, method, stored, offset }: Entry,
  target: string,
  path: string,
): Promise<void> {
  if (method !== 0 && method !== 8) {
    throw new FormatError(`${path}: expected "${name}" deflated or stored, got method ${method}.`);
  }
  const local = await read(file, offset, 30);
  const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    if (stored === 0) await writeFile(temporary, '');
    else {
      const input = file.createReadStream({ start, end: start + stored - 1, autoClose: false });
      const output = createWriteStream(temporary, { mode: 0o755 });
      await (method === 0 ? pipeline(input, output) : pipeline(input, createInflateRaw(), output));
    }
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
