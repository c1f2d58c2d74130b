/** @file What becomes of an input: it stays, goes, or is moved, and never before it is known to be the one. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, copyToFree, firstFree, isMoved, move } from './moves.ts';
import { hiddenName, numbered } from './names.ts';
import { isWithin, type Places } from './places.ts';
import type { Shares } from './shares.ts';
import type { State } from './state.ts';
import { stampOf, type Stamp } from './stamp.ts';

/** How an original is moved. */
export interface MoveOptions {
  /** Whether a place may be taken. @default whether nothing is there */
  readonly isFree?: (place: string) => Promise<boolean>;
  /** Called with the new place before the file is there. */
  readonly prepare?: (place: string) => Promise<void>;
}

/** Moves originals of one rule out of the watched folder. */
export class Originals {
  readonly #places: Places;
  readonly #state: State;
  readonly #shares: Shares;

  constructor(places: Places, state: State, shares: Shares) {
    this.#places = places;
    this.#state = state;
    this.#shares = shares;
  }

  /** Deletes an original. @returns false when another file has its name by now, which stays */
  async delete(file: string, stamp: Stamp): Promise<boolean> {
    const taken = await this.#take(file, stamp);
    if (taken === undefined) return false;
    await unlink(taken);
    await this.#tidy(taken);
    return true;
  }

  /**
   * Moves an original to `folder`, under its own name or a numbered one.
   *
   * @returns its new place; undefined when another file has its name by now, which stays
   * @throws PathError when the folder's disk is not there
   */
  async moveTo(
    folder: string,
    file: string,
    stamp: Stamp,
    options: MoveOptions = {},
  ): Promise<string | undefined> {
    await this.#shares.requireMounted(folder);
    if (!this.#places.writable) return this.#copyTo(folder, file, options);
    const { isFree = isUnused, prepare } = options;
    const taken = await this.#take(file, stamp);
    if (taken === undefined) return undefined;
    try {
      const name = join(folder, file);
      for (;;) {
        const place = await firstName(
          name,
          async (place) => (await isFree(place)) || (await isMoved(taken, place)),
        );
        await prepare?.(place);
        if (!(await move(taken, place, { via: this.hiddenIn(folder) }))) continue;
        await this.#tidy(taken);
        return place;
      }
    } catch (error) {
      await this.bringBack(taken, file); // the disk there is full, or away: it stays where it was
      await this.#tidy(taken);
      throw error;
    }
  }

  /**
   * Moves a file back into the watched folder.
   *
   * @param file its path there; it is numbered if that is in use by now
   */
  async bringBack(from: string, file: string): Promise<void> {
    const path = join(this.#places.in, file);
    if (from === path) return;
    const via = this.hiddenIn(this.#places.in);
    for (;;) {
      const place = await firstName(
        path,
        async (place) => (await isUnused(place)) || (await isMoved(from, place)),
      );
      if (await move(from, place, { via })) break;
    }
    await rmdir(via).catch(() => undefined); // there only if the file came from another device
  }

  /** The folder for our unfinished files in a folder of results, failures or originals. */
  hiddenIn(folder: string): string {
    return join(folder, `${hiddenName}-${this.#state.id}`);
  }

  /** Removes what a crash has left unfinished in a folder of failures or originals. */
  async cleanIn(folder: string): Promise<void> {
    await rm(this.hiddenIn(folder), { recursive: true, force: true });
  }

  /** Puts back what was taken when the program ended; it will be looked at anew. */
  async recover(): Promise<void> {
    const { taken } = this.#state;
    for (const name of await readdir(taken)) {
      const folder = join(taken, name);
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        await this.bringBack(path, path.slice(folder.length + 1));
        await this.#tidy(path);
      }
      await rmdir(folder).catch(() => undefined);
    }
  }

  /** The original cannot leave a folder that may not be written: a copy goes instead. */
  async #copyTo(folder: string, file: string, options: MoveOptions): Promise<string> {
    const { isFree = isUnused, prepare } = options;
    const name = join(folder, file);
    for (;;) {
      const place = await firstName(name, isFree);
      await prepare?.(place);
      const via = this.hiddenIn(folder);
      if (await copyToFree(join(this.#places.in, file), place, via)) return place;
    }
  }

  /**
   * Takes a file away by a rename, which one process alone can win, and only then makes sure that
   * it is the one that was meant: another may have been put in its place.
   */
  async #take(file: string, stamp: Stamp): Promise<string | undefined> {
    const path = join(this.#places.in, file);
    if ((await stampOf(path)) !== stamp) return undefined;
    const own = join(this.#state.taken, randomBytes(6).toString('hex'));
    await mkdir(own); // not the folder it lies in: where that is gone, so is a share
    const taken = join(own, file);
    await mkdir(dirname(taken), { recursive: true });
    try {
      await rename(path, taken);
    } catch (error) {
      await this.#tidy(taken);
      if (codeOf(error) === 'ENOENT') return undefined;
      if (codeOf(error) !== 'EXDEV') throw error;
      return path; // state lies on another device: what was just seen there must do
    }
    if ((await stampOf(taken)) === stamp) return taken;
    await this.bringBack(taken, file);
    await this.#tidy(taken);
    return undefined;
  }

  /** Removes the folders that were made for a taken file, as far as they are empty. */
  async #tidy(taken: string): Promise<void> {
    const root = this.#state.taken;
    if (!isWithin(taken, root)) return;
    for (let folder = dirname(taken); folder !== root; folder = dirname(folder)) {
      await rmdir(folder).catch(() => undefined);
    }
  }
}

/** The first choice of a name that may be taken. */
async function firstName(
  name: string,
  isFree: (place: string) => Promise<boolean>,
): Promise<string> {
  return numbered(name, await firstFree((n) => isFree(numbered(name, n))));
}

/** Whether nothing has a name. */
export async function isUnused(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) === undefined;
}
