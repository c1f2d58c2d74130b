/** @file Holds the measures against a folder of reference vectors: `metrics/`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { classicRows } from './metric-classic.ts';
import { clipiqaRows } from './metric-clipiqa.ts';
import { distsRows, fidRows, frechetRows, lpipsRows } from './metric-distances.ts';
import { maniqaRows } from './metric-maniqa.ts';
import { musiqRows } from './metric-musiq.ts';
import type { Row } from './row.ts';

/** Sections by the file that says what is to come out. */
const sections: Readonly<Record<string, (folder: string) => AsyncGenerator<Row>>> = {
  'classic.json': classicRows,
  'lpips.json': lpipsRows,
  'dists.json': distsRows,
  'frechet.json': frechetRows,
  'fid.json': fidRows,
  'clipiqa.json': clipiqaRows,
  'musiq.json': musiqRows,
  'maniqa.json': maniqaRows,
};

/**
 * One row a number, a list of numbers, or a summary of a tensor.
 *
 * @param folder laid out like `../shared/golden`
 */
export async function* parityMetrics(folder: string): AsyncGenerator<Row> {
  for (const [file, rows] of Object.entries(sections)) {
    if (existsSync(join(folder, 'metrics', file))) yield* rows(folder);
  }
}
