/** @file A file read by ranges, so that a checkpoint is never in memory as a whole. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError, PathError } from '../tensor/errors.ts';
import { pathError } from './path-errors.ts';

/** An open file. */
export interface RangeFile {
  /** Its name, for error messages. */
  readonly label: string;
  /** Its size in bytes when it was opened. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `start`, in memory of their own.
   *
   * @throws FormatError when the file does not have them.
   */
  read(start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One call to read(2) moves less than 2 GiB; ours move at most this much. */
const largestRead = 2 ** 30;

/**
 * Opens `path` for reading by ranges.
 *
 * @throws PathError when it is missing, a folder, or may not be read.
 */
export async function openRangeFile(path: string): Promise<RangeFile> {
  const label = basename(path);
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw pathError(path, error);
  });
  const status = await handle.stat();
  if (!status.isFile()) {
    await handle.close();
    throw new PathError(`${path}: expected a file, got a folder or a device.`);
  }
  return {
    label,
    size: status.size,
    close: () => handle.close(),
    async read(start, length) {
      if (!(start >= 0 && length >= 0 && start + length <= status.size)) {
        throw new FormatError(
          `${label}: expected ${length} bytes at ${start}, got a file of ${status.size} bytes.`,
        );
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const step = Math.min(length - done, largestRead);
        const { bytesRead } = await handle.read(bytes, done, step, start + done);
        if (bytesRead === 0) throw new FormatError(`${label}: was cut short while being read.`);
        done += bytesRead;
      }
      return bytes;
    },
  };
}
