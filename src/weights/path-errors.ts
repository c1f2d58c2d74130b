/** @file What the operating system's error codes mean to a user, with the remedy. */
import { PathError } from '../tensor/errors.ts';

const meanings: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file or folder. Check the path.'],
  ['ENOTDIR', 'a part of the path is a file, not a folder. Check the path.'],
  ['EISDIR', 'expected a file, got a folder.'],
  ['EACCES', 'permission denied. Change its permissions or choose another place.'],
  ['EPERM', 'permission denied. Change its permissions or choose another place.'],
  ['EROFS', 'the file system is read-only. Choose another place.'],
  ['ENOSPC', 'the disk is full. Free some space or choose another place.'],
  ['EDQUOT', 'the disk quota is used up. Free some space or choose another place.'],
  ['ELOOP', 'too many links. Check the path.'],
]);

/** The code of an error that node:fs threw, else an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** `error` as a PathError about `path` where its code is a known one, else `error` itself. */
export function pathError(path: string, error: unknown): unknown {
  const meaning = meanings.get(errorCode(error));
  return meaning ? new PathError(`${path}: ${meaning}`, { cause: error }) : error;
}
