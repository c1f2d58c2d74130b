/** @file What tells whether a file is still the one that was seen: its size and time. */
import { lstat } from 'node:fs/promises';

/**
 * One state of one file; equal texts mean an untouched file.
 *
 * Inodes would tell more, but network and FUSE file systems number their files anew at any time,
 * and then nothing would ever seem to rest.
 */
export type Stamp = string;

/**
 * The stamp of a regular file; undefined where there is none (a folder or a link is none).
 *
 * @throws Error of the file system other than that there is nothing
 */
export async function stampOf(path: string): Promise<Stamp | undefined> {
  try {
    const status = await lstat(path, { bigint: true });
    return status.isFile() ? `${status.size}:${status.mtimeNs}` : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A name that is not UTF-8, or too long for where it is looked up, names nothing here.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}
