/** @file Whether folders lie on the disks and shares they lay on: an unmounted one leaves an empty folder. */
import { stat } from 'node:fs/promises';
import { PathError } from '../tensor/errors.ts';
import { mountOf } from './network.ts';
import { isWithin } from './places.ts';
import type { State } from './state.ts';

/** The mounts of some folders, remembered across restarts. */
export class Shares {
  readonly #mounts: Readonly<Record<string, string>>;

  private constructor(mounts: Readonly<Record<string, string>>) {
    this.#mounts = mounts;
  }

  /** Remembers where `folders` are mounted now, unless one was mounted deeper before. */
  static async of(state: State, folders: readonly string[]): Promise<Shares> {
    const before = (await state.note<Record<string, string>>('mounts')) ?? {};
    const mounts: Record<string, string> = {};
    for (const folder of folders) {
      const mount = await mountOf(folder);
      const old = before[folder];
      // Mounted deeper before: the share is away. Anything else is as its owner wants it.
      mounts[folder] = old !== undefined && old !== mount && isWithin(old, mount) ? old : mount;
    }
    if (JSON.stringify(mounts) !== JSON.stringify(before)) await state.setNote('mounts', mounts);
    return new Shares(mounts);
  }

  /** Whether a folder is there, on its disk. */
  async isThere(folder: string): Promise<boolean> {
    const status = await stat(folder).catch(() => undefined);
    return status?.isDirectory() === true && (await this.isMounted(folder));
  }

  /** Whether a folder's disk is there, though the folder itself need not be made yet. */
  async isMounted(folder: string): Promise<boolean> {
    const mount = this.#mounts[folder];
    return mount === undefined || (await mountOf(folder)) === mount;
  }

  /** @throws PathError when the disk of a folder is not there */
  async requireMounted(folder: string): Promise<void> {
    if (await this.isMounted(folder)) return;
    throw new PathError(
      `${folder}: expected its disk mounted at ${this.#mounts[folder]}, got none. Mount it.`,
    );
  }
}
