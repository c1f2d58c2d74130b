/** @file Which result belongs to which reference: pictures of two folders by their stems. */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { probePicture, readPicture } from '../image/codec.ts';
import { explainPathError } from '../image/path-errors.ts';
import { PathError, ShapeError } from '../tensor/errors.ts';
import { type Rgb, toRgb } from './rgb.ts';

/** A picture to be scored, and what it is held against. */
export interface Pair {
  /** The file's name without its ending. */
  readonly name: string;
  readonly result: string;
  readonly reference?: string;
}

const endings = /\.(png|jpe?g|webp|tiff?)$/i;

/**
 * The pictures of a folder, in the order of their names, each with its namesake in `references`.
 * Hidden files, folders and other files are not looked at; endings may differ.
 *
 * @throws PathError when a folder cannot be read or holds no picture, when a stem occurs twice in
 *   it, or when the two folders' names differ.
 */
export async function pairFolders(results: string, references?: string): Promise<Pair[]> {
  const found = await listPictures(results);
  if (references === undefined) return [...found].map(([name, result]) => ({ name, result }));
  const originals = await listPictures(references);
  const without = [...found.keys()].filter((name) => !originals.has(name));
  const unused = [...originals.keys()].filter((name) => !found.has(name));
  if (without.length > 0 || unused.length > 0) {
    const parts = [
      ...(without.length > 0 ? [`no ${some(without)} in ${references}`] : []),
      ...(unused.length > 0 ? [`no ${some(unused)} in ${results}`] : []),
    ];
    throw new PathError(
      `${results}: expected the names of the ${originals.size} pictures in ${references}, ` +
        `got ${found.size} pictures: ${parts.join(', ')}.`,
    );
  }
  return [...found].map(([name, result]) => ({ name, result, reference: originals.get(name)! }));
}

/**
 * Paths of a folder's pictures by stem, in the order of the names.
 *
 * @throws PathError when it cannot be read, holds none, or holds two of one stem.
 */
export async function listPictures(folder: string): Promise<Map<string, string>> {
  const pictures = new Map<string, string>();
  for (const name of await readFolder(folder)) {
    if (name.startsWith('.') || !endings.test(name)) continue;
    const stem = name.slice(0, -extname(name).length);
    const other = pictures.get(stem);
    if (other !== undefined) {
      throw new PathError(
        `${folder}: expected one picture a name, got "${name}" beside ${other}. Remove one.`,
      );
    }
    pictures.set(stem, join(folder, name));
  }
  if (pictures.size > 0) return pictures;
  throw new PathError(
    `${folder}: expected pictures (.png, .jpg, .jpeg, .webp, .tif, .tiff), got none.`,
  );
}

/**
 * Looks at the headers of all pairs, so that a wrong picture is found before the work begins.
 *
 * @param scale how many times larger references are than the other pictures
 * @throws ShapeError naming the first picture whose size is wrong; FormatError when a file is none.
 */
export async function requireSizes(pairs: readonly Pair[], scale = 1): Promise<void> {
  for (const { name, result, reference } of pairs) {
    const { width, height } = await probePicture(result);
    if (reference === undefined) continue;
    const large = await probePicture(reference);
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (large.width === w && large.height === h) continue;
    const times = scale === 1 ? '' : ` (${scale} times ${width}x${height})`;
    throw new ShapeError(
      `${name}: expected a reference of ${w}x${h} pixels${times}, ` +
        `got ${large.width}x${large.height} in ${reference}.`,
    );
  }
}

/** A picture file as measures see it. */
export async function readRgb(file: string): Promise<Rgb> {
  return toRgb(await readPicture(file));
}

async function readFolder(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
    return files.sort((a, b) => (a < b ? -1 : 1));
  } catch (error) {
    throw explainPathError(error, folder);
  }
}

/** The first three of the names. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
