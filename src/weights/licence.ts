/** @file The licence a model says it is under. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A model card is text; more than this is not looked through. */
const mostText = 2 ** 20;

/**
 * The licence that a model's card (`README.md`, its front matter) names, else the first line of its
 * licence file, else null.
 *
 * @param files names of files at the top of the folder that look like licences
 */
export async function findLicence(
  folder: string,
  files: readonly string[],
): Promise<string | null> {
  const card = await textOf(join(folder, 'README.md'));
  const front = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1] ?? '';
  const named = /^license_name:\s*(.+)$/m.exec(front) ?? /^license:\s*(\S.*)$/m.exec(front);
  if (named) return named[1]!.trim().replace(/^(["'])(.*)\1$/, '$2');
  for (const file of files) {
    const first = (await textOf(join(folder, file))).split('\n').find((line) => line.trim());
    if (first) return first.trim().slice(0, 200);
  }
  return null;
}

async function textOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.slice(0, mostText);
}
