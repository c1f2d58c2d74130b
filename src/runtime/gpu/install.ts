/** @file Installs what CUDA needs: finds what is there, fetches the rest, puts it in its place. */
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError, PathError } from '../../tensor/errors.ts';
import { libraryFolders, type Loaded, preloadNvidia } from '../preload.ts';
import { type Machine, nvidiaDriver, oldestDriver, thisMachine } from '../provider.ts';
import { type Card, hasCode, listCards } from './card.ts';
import { checkFile, fetchFile } from './fetch.ts';
import { placeProvider } from './place.ts';
import { wheelFile, type Wheel } from './releases.ts';
import { extractWheel } from './wheel.ts';

/** What an installation is to do. */
export interface InstallPlan {
  /** Files that have to be fetched or brought. */
  readonly missing: readonly Wheel[];
  /** NVIDIA's libraries that are there, and where. */
  readonly found: readonly Loaded[];
  readonly cards: readonly Card[] | undefined;
}

export interface InstallOptions {
  /** Where everything goes: see `gpuFolder`. */
  readonly folder: string;
  /** Folder of onnxruntime-node's binding. */
  readonly binding: string;
  readonly wheels: readonly Wheel[];
  /** Goes on without a driver, for images that are built on one machine and run on another. */
  readonly withoutCard?: boolean;
  readonly machine?: Machine;
  readonly cards?: () => Promise<readonly Card[] | undefined>;
  readonly preload?: (folders: readonly string[]) => readonly Loaded[];
}

/** Where the wheels come from. */
export interface Supply {
  /** A folder of wheels that somebody brought; nothing is fetched. */
  readonly from?: string;
  /** Takes the place of https://files.pythonhosted.org. */
  readonly mirror?: string;
  readonly onProgress?: (done: number, total: number, name: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * What is missing for CUDA on this machine.
 *
 * @throws DeviceError where CUDA cannot be had: another platform, no driver or an old one, a card
 *   without code
 */
export async function planInstall(options: InstallOptions): Promise<InstallPlan> {
  const { folder, wheels, machine = thisMachine } = options;
  const { platform, arch } = machine;
  if (platform !== 'linux' || arch !== 'x64') {
    throw new DeviceError(
      `gpu: expected Linux on x64, for which alone onnxruntime-node has CUDA, got ${platform} on ${arch}. Use --device webgpu.`,
    );
  }
  const cards = options.withoutCard ? undefined : await checkCards(options, machine);
  const found = (options.preload ?? preloadNvidia)(libraryFolders(folder, machine));
  const there = new Set(found.filter(({ path }) => path !== undefined).map(({ file }) => file));
  const missing: Wheel[] = [];
  for (const wheel of wheels) {
    const provider = wheel.name.startsWith('onnxruntime');
    const has = provider
      ? await all(wheel.provides.map((file) => join(folder, 'provider', file)))
      : wheel.provides.every((file) => there.has(file));
    if (!has) missing.push(wheel);
  }
  return { missing, found, cards };
}

async function checkCards(
  { cards: list = listCards }: InstallOptions,
  machine: Machine,
): Promise<readonly Card[] | undefined> {
  const driver = nvidiaDriver(machine);
  if (driver === undefined) {
    throw new DeviceError(
      'gpu: expected an NVIDIA driver, got none loaded. Install your distribution’s NVIDIA driver of version 580 or later; in a container, start it with --gpus all. To prepare an image without a card, add --without-card.',
    );
  }
  if (Number(driver.split('.')[0]) < oldestDriver) {
    throw new DeviceError(
      `gpu: expected an NVIDIA driver of version ${oldestDriver} or later, which CUDA 13 needs, got ${driver}. Update the driver.`,
    );
  }
  const cards = await list();
  if (cards && cards.length > 0 && !cards.some(({ capability }) => hasCode(capability))) {
    const names = cards.map(({ name, capability }) => `${name} (${capability})`).join(', ');
    throw new DeviceError(
      `gpu: expected a card of compute capability 7.5, 8.x, 9.0 or 12.0, got ${names}. Use --device webgpu.`,
    );
  }
  return cards;
}

async function all(paths: readonly string[]): Promise<boolean> {
  const checks = await Promise.allSettled(paths.map((path) => access(path)));
  return checks.every(({ status }) => status === 'fulfilled');
}

/**
 * Fetches and unpacks what the plan says is missing, and puts the provider in its place.
 *
 * @returns the folder where the provider now is
 * @throws PathError or FormatError naming the file that could not be had
 */
export async function install(
  { missing }: InstallPlan,
  options: InstallOptions,
  supply: Supply = {},
): Promise<string> {
  const { folder, binding, wheels } = options;
  const downloads = join(folder, 'downloads');
  const total = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  try {
    await mkdir(downloads, { recursive: true });
    for (const wheel of missing) {
      const path = await obtain(wheel, downloads, supply, (done) =>
        supply.onProgress?.(before + done, total, wheel.name),
      );
      await unpack(wheel, path, folder);
      before += wheel.bytes;
      // What was brought stays; what was fetched is not needed twice.
      if (supply.from === undefined) await rm(path, { force: true });
    }
    const provider = wheels.find(({ name }) => name.startsWith('onnxruntime'))!;
    return await placeProvider({
      files: provider.provides.map((file) => join(folder, 'provider', file)),
      binding,
      copyTo: join(folder, 'node_modules'),
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const gigabytes = (total / 1e9).toFixed(1);
    throw new PathError(
      `${folder}: expected to write ${gigabytes} GB of packages and about twice that unpacked, got ${code}. Free space, or set OSEDIFF_HOME to another disk.`,
      { cause },
    );
  }
}

async function obtain(
  wheel: Wheel,
  downloads: string,
  { from, mirror, signal }: Supply,
  onProgress: (done: number) => void,
): Promise<string> {
  const name = wheelFile(wheel);
  const watch = { onProgress, ...(signal && { signal }) };
  if (from === undefined) {
    const url =
      mirror === undefined
        ? wheel.url
        : wheel.url.replace(/^https:\/\/[^/]+/, mirror.replace(/\/$/, ''));
    const path = join(downloads, name);
    await fetchFile({ ...wheel, url }, path, watch);
    return path;
  }
  const path = join(from, name);
  if (!(await all([path]))) {
    throw new PathError(`${from}: expected ${name}, got no such file. Bring it from ${wheel.url}`);
  }
  await checkFile(path, wheel, signal);
  onProgress(wheel.bytes);
  return path;
}

const licences = /(^|\/)(licen[cs]e|thirdpartynotices|eula)[^/]*$/i;

async function unpack(wheel: Wheel, path: string, folder: string): Promise<void> {
  const takes = (name: string): boolean => wheel.takes.test(name) || licences.test(name);
  const called = (name: string): string => {
    if (licences.test(name)) return join('licences', wheel.name, name.split('/').at(-1)!);
    return name.startsWith('nvidia/') ? name : join('provider', name.split('/').at(-1)!);
  };
  await extractWheel(path, folder, takes, called);
}
