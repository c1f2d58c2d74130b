/** @file Finds the pictures that a command line of files and folders means. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { formatOf } from '../image/formats.ts';
import { PathError } from '../tensor/errors.ts';
import { explainPathError } from '../image/path-errors.ts';
import { standardStream } from './standard-stream.ts';
import { expandPattern, isPattern } from './glob.ts';

/** Whether a path ends as a picture that can be written does. */
export function isPicturePath(path: string): boolean {
  try {
    formatOf(path);
    return true;
  } catch {
    return false;
  }
}

/** A file that is to be upscaled. */
export interface FoundInput {
  readonly path: string;
  /** Its path below the folder that was named; its name, when the file itself was. */
  readonly below: string;
  /** Whether the file itself was named, rather than found in a folder. */
  readonly named: boolean;
}

/** An input that cannot be upscaled, and why. */
export interface Refusal {
  readonly input: string;
  readonly error: unknown;
}

/**
 * List the files among `inputs`, what patterns among them name, and the pictures, by their endings,
 * in the folders among them. A file whose name looks like a pattern is that file.
 *
 * Folders are read to any depth in the order of their names. Hidden entries are left out (they
 * hold previews and other programs' temporaries), and so are links to folders, which may lead in a
 * circle.
 *
 * @param skip a folder that is not looked into: where the results go
 */
export async function findInputs(
  inputs: readonly string[],
  skip?: string,
): Promise<{ found: FoundInput[]; refused: Refusal[] }> {
  const found: FoundInput[] = [];
  const refused: Refusal[] = [];
  const skipped = skip === undefined ? undefined : resolve(skip);

  const walk = async (folder: string, below: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      const name = join(below, entry.name);
      if (entry.isDirectory()) {
        if (resolve(path) !== skipped) await attempt(path, () => walk(path, name));
      } else if (isPicturePath(entry.name)) {
        found.push({ path, below: name, named: false });
      }
    }
  };
  const attempt = async (input: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      refused.push({ input, error: explainPathError(error, input) });
    }
  };

  for (const input of await expandAll(inputs)) {
    await attempt(input, async () => {
      if (input === standardStream) {
        found.push({ path: input, below: 'stdin', named: true });
        return;
      }
      if (!(await stat(input)).isDirectory()) {
        found.push({ path: input, below: basename(input), named: true });
        return;
      }
      const before = found.length + refused.length;
      await walk(input, '');
      if (found.length + refused.length === before) {
        throw new PathError(
          `${input}: expected PNG, JPEG, WebP, TIFF, AVIF or GIF files in this folder, got none.`,
        );
      }
    });
  }
  return { found, refused };
}

/** Patterns replaced by what they name; one that names nothing stays, to be refused as missing. */
async function expandAll(inputs: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const input of inputs) {
    const literal = !isPattern(input) || (await stat(input).catch(() => undefined));
    const matches = literal ? [] : await expandPattern(input);
    all.push(...(matches.length > 0 ? matches : [input]));
  }
  return all;
}
