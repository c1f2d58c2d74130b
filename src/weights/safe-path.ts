/** @file Paths that a model's own files name: only such as stay inside the model's folder. */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { PathError } from '../tensor/errors.ts';
import { pathError } from './path-errors.ts';
import { quoted } from './quoted.ts';

/**
 * The path of `name` below `root`.
 *
 * @param root the model's folder
 * @param name a path below it with `/` between its parts
 * @throws PathError when `name` is absolute, has `..` in it, is missing, or is or passes through a
 *   link out of `root`
 */
export async function pathInside(root: string, name: string): Promise<string> {
  checkRelative(name);
  const path = join(root, name);
  const [realRoot, real] = await Promise.all([root, path].map(resolveLinks));
  const way = relative(realRoot!, real!);
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw new PathError(
      `${path}: expected a file inside the model's folder, got a link out of it. Copy the folder with its links resolved ("cp -rL") and use the copy.`,
    );
  }
  return path;
}

/**
 * Checks that `name` is relative and has no `..`, without looking at any disk.
 *
 * @throws PathError when it is not
 */
export function checkRelative(name: string): void {
  const parts = name.split('/');
  const stays = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  // A backslash, colon or NUL may mean a drive, a stream or another folder somewhere.
  // oxlint-disable-next-line no-control-regex
  if (!stays || /[\\:\0]/.test(name)) {
    throw new PathError(
      `${quoted(name)}: expected a path inside the model's folder, got one that may leave it.`,
    );
  }
}

async function resolveLinks(path: string): Promise<string> {
  return realpath(path).catch((error: unknown) => {
    throw pathError(path, error);
  });
}
