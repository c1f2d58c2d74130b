/** @file Moving and writing files so that a power cut leaves the old state or the new one, never a mixture. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream, type BigIntStats } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, rename, rm, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The code of an error that node:fs threw, else an empty string. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Makes the names in a folder outlast a power cut. Windows cannot open folders and needs no such thing. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot; their server decides what lasts.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Writes a small file, replacing what has its name.
 *
 * @param lasting whether to wait until a power cut cannot undo it
 */
export async function writeWhole(path: string, text: string, lasting: boolean): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(beside, 'wx');
    try {
      await file.writeFile(text);
      if (lasting) await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    if (lasting) await syncFolder(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Codes by which file systems without hard links (FAT, some network shares) refuse one. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** How `move` treats what has the new name already. */
export type IfTaken = 'replace' | 'leave';

/**
 * Moves a file so that it is never seen half-moved, across devices too, creating folders on the way.
 *
 * @param via a hidden folder on the device of `to`, for copies between devices; made when needed
 * @returns false when `ifTaken` is `leave` and something has the name `to`: nothing has moved then
 */
export async function move(
  from: string,
  to: string,
  { via, ifTaken = 'leave' }: { readonly via: string; readonly ifTaken?: IfTaken },
): Promise<boolean> {
  await mkdir(dirname(to), { recursive: true });
  try {
    return await rename_(from, to, ifTaken);
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error;
  }
  const copy = await copyTo(via, from);
  try {
    if (!(await rename_(copy, to, ifTaken)) && !(await isMoved(from, to))) return false;
    await unlink(from);
    return true;
  } finally {
    await rm(copy, { force: true });
  }
}

/**
 * Copies a file so that no half of it is ever seen, creating folders on the way.
 *
 * @param via as for `move`
 * @returns false when something has the name `to`
 */
export async function copyToFree(from: string, to: string, via: string): Promise<boolean> {
  await mkdir(dirname(to), { recursive: true });
  const copy = await copyTo(via, from);
  try {
    return await rename_(copy, to, 'leave');
  } finally {
    await rm(copy, { force: true });
  }
}

async function rename_(from: string, to: string, ifTaken: IfTaken): Promise<boolean> {
  if (ifTaken === 'replace') {
    await rename(from, to);
  } else {
    try {
      await link(from, to); // unlike a rename, a link never replaces
      await unlink(from);
    } catch (error) {
      const taken = codeOf(error) === 'EEXIST';
      if (!taken && !noHardLinks.has(codeOf(error))) throw error;
      if (taken && (await isMoved(from, to))) await unlink(from);
      else if (taken || (await lstat(to).catch(() => undefined))) return false;
      else await rename(from, to);
    }
  }
  await syncFolder(dirname(to));
  return true;
}

/**
 * Whether a crash left a move between its last two steps: one file with both names, or, between
 * devices, the whole copy beside its original.
 */
export async function isMoved(from: string, to: string): Promise<boolean> {
  const status = (path: string): Promise<BigIntStats | undefined> =>
    lstat(path, { bigint: true }).catch(() => undefined);
  const [one, other] = await Promise.all([status(from), status(to)]);
  if (!one?.isFile() || !other?.isFile()) return false;
  if (one.dev === other.dev) return one.ino === other.ino && one.ino !== 0n;
  return one.size === other.size && (await sha256(from)) === (await sha256(to));
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A synced copy of a file in `folder`, with its times. */
async function copyTo(folder: string, from: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const copy = join(folder, `${randomBytes(8).toString('hex')}.part`);
  try {
    const before = await lstat(from);
    await copyFile(from, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await utimes(copy, before.atime, before.mtime);
    const file = await open(copy, process.platform === 'win32' ? 'r+' : 'r');
    await file.sync().finally(() => file.close());
    const after = await lstat(from);
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      throw Object.assign(new Error(`${from}: changed while it was copied`), { code: 'EAGAIN' });
    }
    return copy;
  } catch (error) {
    await rm(copy, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A number from 1 up that is free, near the first: names that are counted up come by the thousand. */
export async function firstFree(isFree: (n: number) => Promise<boolean>): Promise<number> {
  let free = 1;
  while (!(await isFree(free))) free *= 2;
  let taken = Math.floor(free / 2);
  while (free - taken > 1) {
    const middle = (free + taken) >> 1;
    if (await isFree(middle)) free = middle;
    else taken = middle;
  }
  return free;
}
