/** @file What is known of the files that lie in the watched folder: queued, done, or given up. */
import type { Stamp } from './stamp.ts';
import type { State } from './state.ts';

/** What became of a file in the state that its stamp tells. */
export interface KnownFile {
  readonly stamp: Stamp;
  /** Of its job; empty for one that was given up. */
  readonly key: string;
  readonly status: 'queued' | 'done' | 'failed';
  /** The job of its earlier state, whose result may be replaced. */
  readonly prior?: string | undefined;
}

/** The key under which a file that was given up but could not be moved is remembered. */
const givenUp = 'failed';

/**
 * Files of one watched folder by their path.
 *
 * In memory are those that are there; on disk those that stay when done, so that a restart need not
 * read them all again.
 */
export class KnownFiles {
  readonly #files = new Map<string, KnownFile>();
  readonly #state: State;
  readonly #settings: string;
  readonly #persistent: boolean;

  /**
   * @param settings what files on disk must have been upscaled with to count
   * @param persistent whether originals stay, so that it pays to remember them on disk
   */
  constructor(state: State, settings: string, persistent: boolean) {
    this.#state = state;
    this.#settings = settings;
    this.#persistent = persistent;
  }

  get size(): number {
    return this.#files.size;
  }

  get(file: string): KnownFile | undefined {
    return this.#files.get(file);
  }

  set(file: string, known: KnownFile): void {
    this.#files.set(file, known);
  }

  forget(file: string): void {
    this.#files.delete(file);
  }

  /** Every file that waits for, or was done by, one job. */
  withKey(key: string): readonly string[] {
    return [...this.#files].filter(([, known]) => known.key === key).map(([file]) => file);
  }

  all(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Remembers on disk, where that pays, that a file was done or given up. */
  async keep(file: string, stamp: Stamp, key: string | undefined): Promise<void> {
    this.set(file, { stamp, key: key ?? '', status: key === undefined ? 'failed' : 'done' });
    if (!this.#persistent) return;
    const record = { file, stamp, key: key ?? givenUp, settings: this.#settings };
    await this.#state.setPath(record);
  }

  /** Loads what the disk remembers of a file that memory does not know. */
  async recall(file: string, stamp: Stamp): Promise<KnownFile | undefined> {
    if (!this.#persistent) return undefined;
    const record = await this.#state.path(file);
    if (!record || record.settings !== this.#settings) return undefined;
    const { key } = record;
    if (record.stamp !== stamp) {
      return key === givenUp ? undefined : { stamp: '', key: '', status: 'done', prior: key };
    }
    if (key === givenUp) return { stamp, key: '', status: 'failed' };
    // A result that was replaced is forgotten, and with it that this file was done.
    if (!(await this.#state.done(key))) return undefined;
    return { stamp, key, status: 'done' };
  }

  /** A file has left the folder. */
  async gone(file: string): Promise<void> {
    this.forget(file);
    if (this.#persistent) await this.#state.forgetPath(file);
  }
}
