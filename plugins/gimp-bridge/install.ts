/** @file Puts the plug-in into GIMP's folders, takes it out again, and tells how it is. */
import { constants } from 'node:fs';
import { access, chmod, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PathError } from 'osediff';
import { endpointFile } from './endpoint.ts';

/** GIMP takes a plug-in only from a folder of the plug-in's own name. */
const plugInName = 'osediff-bridge';

/** What the plug-in is told about this installation, in `start.json` beside it. */
export interface StartNotes {
  /** Starts the engine service: a program and its arguments. */
  readonly command: readonly string[];
  /** Where the service writes its port and token. */
  readonly endpoint: string;
}

/** How the plug-in is in one of GIMP's folders. */
export interface PlugInState {
  /** Where it is, or would be. */
  readonly path: string;
  readonly state: 'installed' | 'missing' | 'outdated' | 'not executable' | 'no engine';
  /** What to do, unless it is installed. */
  readonly remedy?: string;
}

/** Where the plug-in is in one of GIMP's settings folders. */
function placeIn(gimp: string): string {
  return join(gimp, 'plug-ins', plugInName, `${plugInName}.py`);
}

/** The plug-in as it comes with this package. */
async function shipped(): Promise<Buffer> {
  const root = dirname(createRequire(import.meta.url).resolve('osediff/package.json'));
  return readFile(join(root, 'plugins', 'gimp-bridge', `${plugInName}.py`));
}

/**
 * Writes the plug-in into each folder, in place of an older one.
 *
 * @param gimps GIMP's settings folders, made where they are missing
 * @param command starts the engine service
 * @returns the files that GIMP will run
 * @throws PathError when one may not be written
 */
export async function install(
  gimps: readonly string[],
  command: readonly string[],
): Promise<readonly string[]> {
  const code = await shipped();
  const notes: StartNotes = { command, endpoint: endpointFile() };
  const written: string[] = [];
  for (const gimp of gimps) {
    const path = placeIn(gimp);
    await onDisk(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(join(dirname(path), 'start.json'), `${JSON.stringify(notes, null, 2)}\n`);
      await writeFile(path, code);
      await chmod(path, 0o755); // GIMP passes over what is not executable, without a word
    });
    written.push(path);
  }
  return written;
}

/**
 * Removes the plug-in from each folder that has it.
 *
 * @returns what was removed
 * @throws PathError when one may not be removed
 */
export async function uninstall(gimps: readonly string[]): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const gimp of gimps) {
    const path = placeIn(gimp);
    if (!(await isThere(path))) continue;
    await onDisk(path, async () => {
      await rm(path);
      await rm(join(dirname(path), 'start.json'), { force: true });
    });
    await rmdir(dirname(path)).catch(() => undefined); // a user's own files there stay
    removed.push(path);
  }
  return removed;
}

/** Looks at the plug-in in each folder. */
export async function inspect(gimps: readonly string[]): Promise<readonly PlugInState[]> {
  const code = await shipped();
  return Promise.all(gimps.map((gimp) => inspectOne(placeIn(gimp), code)));
}

const again = 'Run "osediff gimp install" and restart GIMP.';

async function inspectOne(path: string, code: Buffer): Promise<PlugInState> {
  const found = await readFile(path).catch(() => undefined);
  if (!found) return { path, state: 'missing', remedy: again };
  if (!found.equals(code)) return { path, state: 'outdated', remedy: again };
  // Windows knows programs by their extension.
  if (process.platform !== 'win32' && !(await isThere(path, constants.X_OK))) {
    return { path, state: 'not executable', remedy: again };
  }
  const notes = await readNotes(dirname(path));
  const files = notes?.command.filter((part) => /^([/\\]|[A-Za-z]:)/.test(part)) ?? [];
  const there = await Promise.all(files.map((file) => isThere(file)));
  if (!notes || there.includes(false)) {
    return { path, state: 'no engine', remedy: `osediff has moved. ${again}` };
  }
  return { path, state: 'installed' };
}

async function readNotes(folder: string): Promise<StartNotes | undefined> {
  try {
    const notes = JSON.parse(await readFile(join(folder, 'start.json'), 'utf8')) as StartNotes;
    return Array.isArray(notes.command) ? notes : undefined;
  } catch {
    return undefined;
  }
}

async function isThere(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

async function onDisk(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new PathError(
      `${path}: expected to change it, got ${(cause as Error).message}. Check the folder's permissions, or name another with --gimp-dir.`,
      { cause },
    );
  }
}
