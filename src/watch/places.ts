/** @file The folders of every rule as they really are, and a refusal where they overlap. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { PathError, UsageError } from '../tensor/errors.ts';
import { hiddenName } from './names.ts';
import type { Rule } from './rule.ts';

/** Real paths of one rule's folders. */
export interface Places {
  readonly in: string;
  readonly out: string;
  readonly failed: string;
  /** Where originals go; undefined when they stay or are deleted. */
  readonly done: string | undefined;
  /** Of the watcher itself, never below `out`. */
  readonly state: string;
  /** Whether files of `in` may be moved. */
  readonly writable: boolean;
  /** Folders below `in` that are not looked into. */
  readonly excluded: readonly string[];
}

/** Where state goes. */
export interface StatePlace {
  readonly stateRoot: string;
  readonly stateApart: boolean;
}

/**
 * Finds every rule's folders and makes those for results.
 *
 * Paths are compared as they are after links, so that no detour makes a result an input again.
 *
 * @returns in the order of the rules
 * @throws PathError when a watched folder is missing or a folder may not be used; UsageError when
 *   folders overlap in a way that would have results, failures or originals upscaled again
 */
export async function findPlaces(
  rules: readonly Rule[],
  state: StatePlace,
): Promise<readonly Places[]> {
  const found: Places[] = [];
  for (const rule of rules) found.push(await findFolders(rule, state));
  for (const { out, state } of found) {
    if (isWithin(state, out)) {
      throw new UsageError(`${state}: expected state apart from the results, got it below ${out}.`);
    }
  }
  for (const [i, a] of found.entries()) {
    for (const [k, b] of found.entries()) {
      if (i < k && a.in === b.in) {
        throw new UsageError(`${a.in}: expected one rule for each folder, got two.`);
      }
      refuseOverlap(a.out, 'results', b.in, 'inputs');
      for (const [folder, what] of apartOf(b)) refuseOverlap(a.out, 'results', folder, what);
    }
    for (const [folder, what] of apartOf(a)) {
      const inside = found.find((other) => isWithin(other.in, folder));
      if (inside) throw overlap(folder, what, inside.in, 'inputs');
    }
    if (a.done !== undefined) refuseOverlap(a.done, 'finished originals', a.failed, 'failures');
  }
  const everywhere = found.flatMap((p) => [p.in, p.failed, p.state, ...(p.done ? [p.done] : [])]);
  return found.map((places) => ({
    ...places,
    excluded: everywhere.filter((folder) => folder !== places.in && isWithin(folder, places.in)),
  }));
}

function apartOf({ failed, done }: Places): [folder: string, what: string][] {
  return [
    [failed, 'failures'],
    ...(done ? [[done, 'finished originals'] as [string, string]] : []),
  ];
}

async function findFolders(rule: Rule, { stateRoot, stateApart }: StatePlace): Promise<Places> {
  const input = await realFolder(rule.in);
  const writable = await mayWrite(input);
  const { originals } = rule;
  if (!writable && originals.kind !== 'keep') {
    throw new PathError(
      `${rule.in}: expected a folder whose originals may be moved, got no permission. Keep them with --keep, or change its permissions.`,
    );
  }
  if (!writable && rule.failed === undefined) {
    throw new PathError(
      `${rule.in}: expected a folder that may be written, got no permission. Name one for failures with --failed.`,
    );
  }
  const id = createHash('sha256').update(input).digest('hex').slice(0, 16);
  const apart = stateApart || !writable;
  const out = await realPath(rule.out);
  refuseOverlap(out, 'results', input, 'inputs'); // before it is made
  await makeFolder(out, rule.out);
  return {
    in: input,
    out,
    failed: await realPath(rule.failed ?? join(input, 'FAILED')),
    done: originals.kind === 'move' ? await realPath(originals.folder) : undefined,
    state: apart ? join(await realPath(stateRoot), id) : join(input, hiddenName),
    writable,
    excluded: [],
  };
}

async function realFolder(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (!status?.isDirectory()) {
    const got = status ? 'a file' : 'nothing';
    throw new PathError(
      `${path}: expected a folder to watch, got ${got}. Create it, or mount its disk.`,
    );
  }
  return realpath(path);
}

/** A path after links, though its last parts may not exist yet. */
async function realPath(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await realPath(parent), basename(absolute));
  }
}

async function makeFolder(folder: string, name: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new PathError(
      `${name}: expected a folder for results that may be written, got an error (${code}). Create it or choose another.`,
      { cause: error },
    );
  }
}

async function mayWrite(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

const caseMatters = process.platform !== 'win32' && process.platform !== 'darwin';

/** Whether a real path is another or lies below it. */
export function isWithin(inner: string, outer: string): boolean {
  const key = (path: string): string => (caseMatters ? path : path.normalize('NFC').toLowerCase());
  const way = relative(key(outer), key(inner));
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && resolve(way) !== way);
}

function refuseOverlap(a: string, whatA: string, b: string, whatB: string): void {
  if (isWithin(a, b) || isWithin(b, a)) throw overlap(a, whatA, b, whatB);
}

function overlap(a: string, whatA: string, b: string, whatB: string): UsageError {
  return new UsageError(
    `${a}: expected the folder for ${whatA} apart from the one for ${whatB}, got ${b}. Choose folders that do not contain each other.`,
  );
}
