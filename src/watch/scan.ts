/** @file Looks at every file of a watched folder: whatever events say or do not say, this is the truth. */
import { link, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { firstFree } from './moves.ts';
import { isIgnored, numbered } from './names.ts';
import { isUnused } from './originals.ts';
import type { Places } from './places.ts';
import { stampOf, type Stamp } from './stamp.ts';

/** What a scan tells as it goes. */
export interface ScanListener {
  /** A file that is there; `file` is its path below the folder, with `/`. */
  readonly onFile: (file: string, stamp: Stamp) => void;
  /** A subfolder (empty for the folder itself) that cannot be read now. */
  readonly onUnreadable: (folder: string, error: unknown) => void;
}

/** How many files are asked for their status at a time. */
const parallel = 32;

/** Looks at all files below a folder that are not ignored. Links are left alone. */
export async function scan(
  { in: root, excluded }: Places,
  { onFile, onUnreadable }: ScanListener,
): Promise<void> {
  const skipped = new Set(excluded);

  const visit = async (folder: string): Promise<void> => {
    const path = join(root, folder);
    const entries = await readdir(path, { withFileTypes: true });
    const folders: string[] = [];
    const files: string[] = [];
    for (const entry of entries) {
      if (isIgnored(entry.name)) continue;
      const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !skipped.has(join(root, file))) folders.push(file);
      else if (entry.isFile()) files.push(file);
    }
    let nameless = false;
    for (let i = 0; i < files.length; i += parallel) {
      const some = files.slice(i, i + parallel);
      const stamps = await Promise.all(some.map((file) => stampOf(join(root, file))));
      for (const [k, stamp] of stamps.entries()) {
        if (stamp !== undefined) onFile(some[k]!, stamp);
        else if (some[k]!.includes('\u{fffd}')) nameless = true;
      }
    }
    if (nameless) await nameAnew(path).catch((error: unknown) => onUnreadable(folder, error));
    for (const inner of folders) {
      await visit(inner).catch((error: unknown) => onUnreadable(inner, error));
    }
  };
  await visit('').catch((error: unknown) => onUnreadable('', error));
}

/**
 * Gives files whose names are no UTF-8 (as old cameras and archives write them) names that are, with
 * U+FFFD for what cannot be told: by their own they could be neither opened nor moved.
 */
async function nameAnew(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const { name } = entry;
    const text = name.toString('utf8');
    if (!entry.isFile() || Buffer.from(text).equals(name)) continue;
    const wanted = join(folder, text);
    const free = numbered(wanted, await firstFree((n) => isUnused(numbered(wanted, n))));
    const path = Buffer.concat([Buffer.from(join(folder, '/')), name]);
    await link(path, free);
    await unlink(path);
  }
}
