/** @file The models on this machine: those imported into the store, those of the package, and folders. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { OsediffError, PathError, UsageError } from '../tensor/errors.ts';
import { bundledFolder, storeFolder } from './data-folder.ts';
import { type Manifest, manifestName, readManifest, recordFile } from './manifest.ts';
import { errorCode, pathError } from './path-errors.ts';
import { quoted } from './quoted.ts';
import { pathInside } from './safe-path.ts';

/** A model found by its name or path. */
export interface FoundModel {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  /** In the store, with the package, or a folder of the user's. */
  readonly place: 'stored' | 'bundled' | 'folder';
  /** Stored models have one, others may. */
  readonly manifest: Manifest | undefined;
}

/** A model in a list; one whose manifest cannot be read has the reason instead. */
export type ListedModel = FoundModel | (Omit<FoundModel, 'manifest'> & { readonly error: string });

/** Names of Windows's devices, which are no folder names there. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** An import from another machine is given up for dead after this long, in ms. */
const longestImport = 24 * 60 * 60 * 1000;

/**
 * Checks a name for a model: letters, digits, `.`, `_` and `-`, with a letter or digit at both ends.
 *
 * @throws UsageError
 */
export function checkName(name: string): void {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/.test(name) && !devices.test(name)) return;
  throw new UsageError(
    `model name: expected letters, digits, ".", "_" and "-", at most 64, got ${quoted(name)}.`,
  );
}

/**
 * Finds a model: by its name in the store, then among the bundled ones, else as a folder.
 *
 * @throws PathError when there is none; the message lists what there is
 * @throws FormatError when a stored one's manifest is damaged
 */
export async function resolveModel(nameOrPath: string): Promise<FoundModel> {
  const isName = !/[/\\]/.test(nameOrPath) && !['', '.', '..'].includes(nameOrPath);
  for (const [place, root] of isName ? places() : []) {
    const folder = join(root, nameOrPath);
    if (await isFolder(folder)) return found(nameOrPath, folder, place);
  }
  const folder = resolve(nameOrPath);
  if (nameOrPath !== '' && (await isFolder(folder))) {
    return found(basename(folder), folder, 'folder');
  }
  const names = (await listModels()).map(({ name }) => name);
  throw new PathError(
    `${quoted(nameOrPath)}: expected a model's folder or one of ${names.join(', ') || 'none'}. Import one with "osediff model import DIR --name NAME".`,
  );
}

/** Every stored and bundled model, by name. */
export async function listModels(): Promise<readonly ListedModel[]> {
  await removeLeftovers();
  const models: ListedModel[] = [];
  for (const [place, root] of places()) {
    for (const name of await namesIn(root)) {
      const folder = join(root, name);
      if (name.startsWith('.') || !(await isFolder(folder))) continue;
      if (models.some((model) => model.name === name)) continue; // a stored one comes first
      models.push(await listed(name, folder, place));
    }
  }
  return models.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Something wrong with a file of a model. */
export interface Problem {
  readonly file: string;
  readonly problem: 'missing' | 'changed' | 'unreadable' | 'not in the manifest';
}

/**
 * Hashes every file of a model again.
 *
 * @returns what differs from the manifest; empty when all is well
 * @throws PathError when the model has no manifest
 */
export async function verifyModel(
  model: FoundModel,
  options: { readonly onFile?: (file: string) => void; readonly signal?: AbortSignal } = {},
): Promise<readonly Problem[]> {
  const { folder } = model;
  const manifest = model.manifest ?? (await readManifest(folder));
  const problems: Problem[] = [];
  for (const [file, expected] of Object.entries(manifest.files)) {
    options.onFile?.(file);
    const problem = await compare(folder, file, expected, options.signal);
    if (problem) problems.push({ file, problem });
  }
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll('\\', '/');
    if (file === manifestName || Object.hasOwn(manifest.files, file)) continue;
    problems.push({ file, problem: 'not in the manifest' });
  }
  return problems;
}

async function compare(
  folder: string,
  file: string,
  expected: { readonly bytes: number; readonly sha256: string },
  signal: AbortSignal | undefined,
): Promise<Problem['problem'] | undefined> {
  try {
    const got = await recordFile(await pathInside(folder, file), signal);
    return got.bytes === expected.bytes && got.sha256 === expected.sha256 ? undefined : 'changed';
  } catch (error) {
    if (!(error instanceof OsediffError)) throw error;
    return errorCode(error.cause) === 'ENOENT' ? 'missing' : 'unreadable';
  }
}

/**
 * Removes a model from the store. It leaves the list at once, whole.
 *
 * @throws PathError when the store has no such model or it may not be removed
 */
export async function removeModel(name: string): Promise<void> {
  checkName(name);
  const folder = join(storeFolder(), name);
  if (!(await lstat(folder).catch(() => undefined))) {
    const bundled = bundledFolder();
    const comesWithUs = bundled !== undefined && (await isFolder(join(bundled, name)));
    const why = comesWithUs ? 'it comes with the package' : 'there is none of that name';
    throw new PathError(
      `${quoted(name)}: expected an imported model, but ${why}. See "osediff model list".`,
    );
  }
  const doomed = temporaryFolder('removed', name);
  try {
    await rename(folder, doomed);
    await rm(doomed, { recursive: true, force: true });
  } catch (error) {
    throw pathError(folder, error);
  }
}

/** A folder of this process in the store, which no list shows; the name tells when it is left over. */
export function temporaryFolder(purpose: string, name: string): string {
  const host = hostname().replace(/[^A-Za-z0-9-]/g, '-');
  const random = randomBytes(4).toString('hex');
  return join(storeFolder(), `.${purpose}~${name}~${host}~${process.pid}~${random}`);
}

/** Removes what interrupted imports and removals left in the store. */
export async function removeLeftovers(): Promise<void> {
  const root = storeFolder();
  for (const name of await namesIn(root)) {
    const [, host, pid] = /^\.[a-z]+~[^~]*~([^~]*)~(\d+)~[0-9a-f]+$/.exec(name) ?? [];
    if (host === undefined || pid === undefined) continue;
    if (await isAlive(host, Number(pid), join(root, name))) continue;
    await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Whether the process that made a temporary folder may still be at work on it. */
async function isAlive(host: string, pid: number, folder: string): Promise<boolean> {
  if (host !== hostname().replace(/[^A-Za-z0-9-]/g, '-')) {
    const status = await stat(folder).catch(() => undefined);
    return status !== undefined && Date.now() - status.mtimeMs < longestImport;
  }
  try {
    process.kill(pid, 0); // only asks
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** Makes the store's folder. */
export async function makeStore(): Promise<string> {
  const root = storeFolder();
  await mkdir(root, { recursive: true }).catch((error: unknown) => {
    throw pathError(root, error);
  });
  return root;
}

/** Folders that hold models by name, the store first. */
function places(): (readonly ['stored' | 'bundled', string])[] {
  const bundled = bundledFolder();
  return [['stored', storeFolder()], ...(bundled ? [['bundled', bundled] as const] : [])];
}

async function found(
  name: string,
  folder: string,
  place: FoundModel['place'],
): Promise<FoundModel> {
  const hasManifest = place === 'stored' || (await stat(join(folder, manifestName)).catch(() => 0));
  return { name, folder, place, manifest: hasManifest ? await readManifest(folder) : undefined };
}

async function listed(
  name: string,
  folder: string,
  place: 'stored' | 'bundled',
): Promise<ListedModel> {
  return found(name, folder, place).catch((error: unknown) => {
    if (!(error instanceof OsediffError)) throw error;
    return { name, folder, place, error: error.message };
  });
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw pathError(folder, error);
  });
}
