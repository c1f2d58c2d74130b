/** @file Where encoders write: memory or an open file, from the front, with corrections afterwards. */
import type { FileHandle } from 'node:fs/promises';

/** Bytes in order, and a way back to a header that is known only at the end. */
export interface ByteSink {
  /** Bytes written so far. */
  readonly position: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Replaces bytes that were written already. */
  patch(offset: number, bytes: Uint8Array): Promise<void>;
}

/** Collects a file in memory. */
export class MemorySink implements ByteSink {
  readonly #parts: Uint8Array[] = [];
  readonly #patches: [number, Uint8Array][] = [];
  position = 0;

  async write(bytes: Uint8Array): Promise<void> {
    this.#parts.push(bytes);
    this.position += bytes.length;
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    this.#patches.push([offset, bytes]);
  }

  bytes(): Buffer {
    const all = Buffer.concat(this.#parts);
    for (const [offset, bytes] of this.#patches) all.set(bytes, offset);
    return all;
  }
}

/** Writes to a file that is open for writing and empty. */
export class FileSink implements ByteSink {
  readonly #file: FileHandle;
  position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, bytes, this.position);
    this.position += bytes.length;
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, bytes, offset);
  }
}

/** One write may take less than it was given: on a full disk, or above 2 GiB. */
export async function writeFully(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
