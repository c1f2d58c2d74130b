/** @file Files that appear whole or not at all: written beside, synced, then moved into place. */
import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, link, lstat, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
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

/** Names whose process it is, so that another run can tell what a killed one left. */
const owner = `${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-${process.pid}`;
const ownedName = /^\.osediff-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.(?:part|v|png)$/;

/**
 * A name in `folder` for a file of this process. It goes when the process exits, or when
 * `removeTemporary` is called.
 */
export function temporaryName(folder: string, ending: '.part' | '.v' | '.png' = '.part'): string {
  const file = path.join(folder, `.osediff-${owner}-${randomBytes(6).toString('hex')}${ending}`);
  removeOnExit(file);
  return file;
}

/** Removes a temporary file, should it be there. */
export async function removeTemporary(file: string): Promise<void> {
  await rm(file, { force: true }).catch(() => undefined);
  unfinished.delete(file);
}

/** Removes from a folder the temporary files of processes of this machine that are no more. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, host, pid] = ownedName.exec(name) ?? [];
    if (pid === undefined || !owner.startsWith(`${host}-`) || isRunning(Number(pid))) continue;
    await rm(path.join(folder, name), { force: true }).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Writes a file so that `file` never names half of one. What lies there is left alone unless
 * `overwrite` is set, and left whole when anything fails.
 *
 * @param content the file's bytes, or what writes them into an open, empty file
 * @throws PathError with the remedy when the folder is missing or may not be written, the disk is
 *   full, or `file` exists.
 */
export async function writeFileSafely(
  file: string,
  content: Uint8Array | ((handle: FileHandle) => Promise<void>),
  { overwrite = false }: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const folder = path.dirname(file);
  const temporary = temporaryName(folder);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await (typeof content === 'function' ? content(handle) : handle.writeFile(content));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await moveIntoPlace(temporary, file, { overwrite });
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw explainPathError(error, missing ? folder : file);
  } finally {
    await removeTemporary(temporary);
  }
}

/**
 * Gives a finished temporary file its name.
 *
 * @throws an error of the file system, EEXIST when `file` exists and `overwrite` is not set
 */
export async function moveIntoPlace(
  temporary: string,
  file: string,
  { overwrite }: { readonly overwrite: boolean },
): Promise<void> {
  await (overwrite ? rename(temporary, file) : moveToFreeName(temporary, file));
  await syncFolder(path.dirname(file));
}
