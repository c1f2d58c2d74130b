/** @file One watcher for each folder: a lock file that survives nobody (kill -9, power cut, another machine). */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PathError } from '../tensor/errors.ts';
import { codeOf } from './moves.ts';

/** Tokens of the locks that this process holds. */
const held = new Set<string>();

/** How often a holder shows that it lives, in ms. */
const beat = 10_000;

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process started, where the platform tells: process ids come again. */
  readonly started: string;
  readonly token: string;
}

/**
 * Takes the lock of a state folder.
 *
 * A holder on this machine is asked for by its process; one on another machine has touched the file
 * within three beats, or it is gone.
 *
 * @returns what gives it back
 * @throws PathError when another watcher has it
 */
export async function takeLock(
  folder: string,
  options: { readonly beat?: number; readonly signal?: AbortSignal } = {},
): Promise<() => Promise<void>> {
  const every = options.beat ?? beat;
  const path = join(folder, 'lock');
  const token = randomBytes(8).toString('hex');
  const owner: Owner = {
    host: hostname(),
    pid: process.pid,
    started: await startOf(process.pid),
    token,
  };
  while (!(await create(path, owner))) {
    const other = await readOwner(path);
    if (other && (await isAlive(path, other, every, options.signal))) {
      throw new PathError(
        `${folder}: expected a folder that nobody watches, got one watched by process ${other.pid} on ${other.host}. Stop that one first.`,
      );
    }
    await breakLock(path, other);
  }
  held.add(token);
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined); // a share that went away is noticed by the sweep
  }, every);
  timer.unref();
  return async () => {
    clearInterval(timer);
    held.delete(token);
    if ((await readOwner(path))?.token === token) await rm(path, { force: true });
  };
}

/** Makes the lock, whole from its first moment where the file system has links. */
async function create(path: string, owner: Owner): Promise<boolean> {
  const text = JSON.stringify(owner);
  const draft = `${path}.${owner.token}`;
  await writeFile(draft, text);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
  } finally {
    await rm(draft, { force: true });
  }
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead holder's lock, unless another watcher has just done so and taken its own. */
async function breakLock(path: string, dead: Owner | undefined): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const got = await readOwner(aside);
  if (got?.token === dead?.token) await rm(aside, { force: true });
  else await rename(aside, path);
}

async function isAlive(
  path: string,
  owner: Owner,
  every: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (owner.host === hostname()) {
    if (held.has(owner.token)) return true;
    if (owner.pid === process.pid) return false; // an earlier process had our number
    try {
      process.kill(owner.pid, 0); // only asks
    } catch (error) {
      if (codeOf(error) !== 'EPERM') return false;
    }
    if (owner.started !== '') return (await startOf(owner.pid)) === owner.started;
    const touched = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
    return Math.abs(Date.now() - touched) < 3 * every;
  }
  // The clocks of two machines differ: what counts is whether the time changes.
  const before = (await stat(path).catch(() => undefined))?.mtimeMs;
  for (let waited = 0; waited < 3 * every; waited += every / 4) {
    await sleep(every / 4, undefined, signal && { signal });
    if ((await stat(path).catch(() => undefined))?.mtimeMs !== before) return true;
  }
  return false;
}

/** When a process started, in the kernel's own count; empty where that is not told. */
async function startOf(pid: number): Promise<string> {
  if (process.platform !== 'linux') return '';
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The second field is a name in parentheses that may hold anything; the 22nd is the start.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
  return `${boot.trim()}:${fields[19] ?? ''}`;
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Owner;
    return typeof owner.pid === 'number' ? owner : undefined;
  } catch {
    return undefined;
  }
}
