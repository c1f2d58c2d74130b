/** @file A rule whose jobs wait because of a disk, a share or a model, and not of any file. */

/** Waits after failures in a row, in ms; the last one goes on. */
const waits = [2_000, 5_000, 10_000, 20_000, 30_000];

/** Whether jobs wait, why, and until when. */
export class Pause {
  #reason: string | undefined;
  #code: string | undefined;
  #since = 0;
  #until = 0;
  #count = 0;

  /** One line; undefined when nothing is in the way. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** The file system's code, such as ENOSPC. */
  get code(): string | undefined {
    return this.#code;
  }

  /** When it began. */
  get since(): number {
    return this.#since;
  }

  /** When the next attempt is due; in the past when nothing is in the way. */
  get until(): number {
    return this.#reason === undefined ? 0 : this.#until;
  }

  /** Something is in the way; each time in a row the wait is longer. @returns whether it is news */
  set(reason: string, now: number, code?: string): boolean {
    const news = this.#reason !== reason;
    if (this.#reason === undefined) this.#since = now;
    this.#reason = reason;
    this.#code = code;
    this.#until = now + waits[Math.min(this.#count++, waits.length - 1)]!;
    return news;
  }

  /** The way is free. @returns whether that is news */
  clear(): boolean {
    const news = this.#reason !== undefined;
    this.#reason = undefined;
    this.#code = undefined;
    this.#count = 0;
    return news;
  }
}
