/** @file NIQE's prior from wherever the user has one: the published file's layout, or pristine pictures. */
import { stat } from 'node:fs/promises';
import { explainPathError } from '../image/path-errors.ts';
import { fitPrior } from './niqe.ts';
import { type Gaussian, readPrior } from './niqe-prior.ts';
import { listPictures, readRgb } from './pairs.ts';
import type { Rgb } from './rgb.ts';

/**
 * Reads a prior from an .npz file, or fits one on the pictures of a folder.
 *
 * @throws PathError, FormatError or ShapeError as `readPrior` and `fitPrior` do.
 */
export async function loadPrior(path: string): Promise<Gaussian> {
  const stats = await stat(path).catch((error: unknown) => {
    throw explainPathError(error, path);
  });
  if (!stats.isDirectory()) return readPrior(path);
  return fitPrior(pictures(await listPictures(path)));
}

async function* pictures(files: ReadonlyMap<string, string>): AsyncGenerator<Rgb> {
  for (const file of files.values()) yield await readRgb(file);
}
