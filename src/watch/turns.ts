/** @file Whose job is next: folders take turns, as many jobs at a time as the executor takes. */
import type { Folder } from './folder.ts';

/** Longest wait for something to happen, in ms: whatever wakes us may have been missed. */
const longestWait = 30_000;

/** A folder keeps its turn for so long while it has jobs: loading another's model takes its time. In ms. */
const turn = 30_000;

/** Hands out jobs until told to stop. */
export class Turns {
  readonly #folders: readonly Folder[];
  readonly #slots: number;
  readonly #signal: AbortSignal;
  #wakers: (() => void)[] = [];
  #running: Promise<unknown> = Promise.resolve();
  /** The folder whose turn it is, and since when. */
  #at = 0;
  #since = 0;

  constructor(folders: readonly Folder[], slots: number, signal: AbortSignal) {
    this.#folders = folders;
    this.#slots = slots;
    this.#signal = signal;
  }

  /** There may be a job. */
  wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }

  /** Works until the signal aborts; jobs that are under way then are waited for by `ended`. */
  async run(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (this.#signal.aborted) resolve();
      this.#signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const loops = Array.from({ length: this.#slots }, () => this.#loop());
    this.#running = Promise.all(loops);
    await Promise.race([stopped, this.#running]);
    this.wake();
  }

  /** Resolves when no job is under way any more. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#signal.aborted) {
      if (await this.#turn()) continue;
      if (this.#signal.aborted) return;
      await this.#sleep();
    }
  }

  /** One job of the folder whose turn it is, or of the next that has one. */
  async #turn(): Promise<boolean> {
    const over = performance.now() - this.#since > turn;
    for (let i = 0; i < this.#folders.length; i++) {
      const at = (this.#at + i + (over ? 1 : 0)) % this.#folders.length;
      const folder = this.#folders[at]!;
      const job = await folder.take();
      if (!job) continue;
      if (at !== this.#at || over) this.#since = performance.now();
      this.#at = at;
      await folder.handle(job);
      return true;
    }
    return false;
  }

  async #sleep(): Promise<void> {
    const now = Date.now();
    const times = this.#folders
      .map((folder) => folder.nextAt(now))
      .filter((at) => at !== undefined);
    // A job that is due but cannot be taken now waits for its folder's next sweep.
    const next = Math.min(...times.map((at) => Math.max(at - now, 500)), longestWait);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, next);
      this.#wakers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
