/** @file Goes through a folder of reference vectors, section by section. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PathError } from '../../src/tensor/errors.ts';
import { arraysOf, closeFolder, type Folder, jsonOf, type Section } from './folder.ts';
import { notCovered, row, type Row } from './row.ts';
import { sections } from './sections.ts';

/**
 * The rows of a folder.
 *
 * An error in a section, say a config that is not built, fails what is left of its file; the others
 * go on.
 *
 * @throws PathError when there is no such folder
 */
export async function* parity(folder: Folder): AsyncGenerator<Row> {
  const files = filesIn(folder);
  try {
    for (const section of sections) {
      for (const file of files.filter((name) => section.files.test(name))) {
        yield* rowsOfFile(folder, section, file);
      }
    }
  } finally {
    await closeFolder(folder);
  }
  const covered = new Set<string>();
  for (const file of files) if (isCovered(file)) covered.add(top(file));
  for (const file of files.filter((name) => !isCovered(name))) {
    // JSON beside arrays that are covered holds their settings.
    if (file.endsWith('.json') && covered.has(top(file))) continue;
    for (const key of keysOf(folder, file)) yield notCovered(file, key);
  }
}

function isCovered(file: string): boolean {
  return sections.some(({ files }) => files.test(file));
}

/** The folder of the kind of vectors: `vectors` of `vectors/unet.safetensors`. */
function top(file: string): string {
  return file.slice(0, file.indexOf('/'));
}

async function* rowsOfFile(folder: Folder, section: Section, file: string): AsyncGenerator<Row> {
  const seen = new Set<string>();
  let failed = false;
  try {
    for await (const next of section.rows(folder, file)) {
      if (next.file === file) seen.add(next.key);
      yield next;
    }
  } catch (error) {
    failed = true;
    console.error(`parity: ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const left = keysOf(folder, file).filter((key) => !seen.has(key) && !section.inputs.test(key));
  for (const key of left) yield failed ? row(file, key, Infinity, 0) : notCovered(file, key);
  if (failed && left.length === 0) yield row(file, '*', Infinity, 0);
}

/** Every file below the folder's own folders, in order. */
function filesIn({ root }: Folder): string[] {
  if (!existsSync(root)) {
    throw new PathError(`${root}: expected a folder of reference vectors, got none.`);
  }
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath !== root)
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '.').length + 1))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();
}

/** What a file of vectors holds; nothing where the file is no such thing. */
function keysOf(folder: Folder, file: string): readonly string[] {
  // Weights are what networks are made of, not what comes out of them.
  if (/^(models|lora)\//.test(file)) return [];
  if (file.endsWith('.safetensors')) return [...arraysOf(folder, file).keys()];
  return file.endsWith('.json') ? Object.keys(jsonOf(folder, file) as object) : [];
}
