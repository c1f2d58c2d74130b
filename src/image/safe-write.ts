/** @file Files that appear whole or not at all: written beside, synced, then moved into place. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { link, lstat, open, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { explainPathError } from './path-errors.ts';

/** Files being written now: an interrupted process takes them along as it exits. */
const unfinished = new Set<string>();
let watchingExit = false;

function removeOnExit(file: string): void {
  unfinished.add(file);
  if (watchingExit) return;
  watchingExit = true;
  process.once('exit', () => {
    for (const left of unfinished) rmSync(left, { force: true });
  });
}

/** Codes by which file systems without hard links (FAT, some network shares) refuse one. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/** Gives `temporary` the name `file` unless something has that name: a link never replaces. */
async function moveToFreeName(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    if (!noHardLinks.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const taken = await lstat(file).catch(() => undefined);
    if (taken) throw Object.assign(new Error(`${file} exists`), { code: 'EEXIST' });
    return rename(temporary, file);
  }
  await unlink(temporary);
}

/** Makes the new name itself durable, where the platform can (Windows cannot). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}

/**
 * Writes a file so that `file` never names half of one. What lies there is left alone unless
 * `overwrite` is set, and left whole when anything fails.
 *
 * @throws PathError with the remedy when the folder is missing or may not be written, the disk is
 *   full, or `file` exists.
 */
export async function writeFileSafely(
  file: string,
  bytes: Uint8Array,
  { overwrite = false }: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.osediff-${randomBytes(6).toString('hex')}.part`);
  removeOnExit(temporary);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await (overwrite ? rename(temporary, file) : moveToFreeName(temporary, file));
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw explainPathError(error, missing ? folder : file);
  } finally {
    unfinished.delete(temporary);
  }
}
