/** @file What the operating system's file errors mean to a user, each with its remedy. */
import { PathError } from '../tensor/errors.ts';

/** What each error code says, as `expected ..., got ... . Remedy.` */
const meanings: Readonly<Record<string, string>> = {
  ENOENT: 'expected an existing file or folder, got none. Check its spelling.',
  ENOTDIR: 'expected a folder on the way to it, got a file. Check the path.',
  EISDIR: 'expected a file, got a folder. Give a file name.',
  EACCES: 'expected permission, got none. Change its access rights or take another folder.',
  EPERM: 'expected permission, got none. Change its access rights or take another folder.',
  EROFS: 'expected a writable disk, got a read-only one. Take another folder.',
  ENOSPC: 'expected room on the disk, got a full one. Free some space or take another folder.',
  EDQUOT: 'expected room on the disk, got a used-up quota. Free some space or take another folder.',
  EFBIG:
    'expected a file size that the disk allows, got a larger one. Take another format or disk.',
  EEXIST: 'expected no such file yet, got one. Use --overwrite or another name.',
  ENAMETOOLONG: 'expected a shorter file name, got one that is too long. Shorten it.',
  EMFILE: 'expected fewer open files, got too many. Raise the limit with "ulimit -n".',
  EIO: 'expected a working disk, got an input/output error. Check the disk.',
};

/**
 * A file system error as a `PathError` of one line, the original kept as its cause; any other value
 * comes back as it is.
 */
export function explainPathError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const meaning = code === undefined ? undefined : meanings[code];
  if (meaning === undefined) return error;
  return new PathError(`${file}: ${meaning.replace('. ', ` (${code}). `)}`, { cause: error });
}
