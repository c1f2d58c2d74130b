/** @file When a file counts as complete: it has rested, and then it must decode (hot-folder.md). */
import type { Stamp } from './stamp.ts';

/** Times in milliseconds. */
export interface SettleTimes {
  /** A file is looked into when its size and time have not changed for so long. */
  readonly rest: number;
  /** A file that rests for so long and still does not decode is given up. */
  readonly patience: number;
}

interface Unsettled {
  stamp: Stamp;
  /** When it was first seen like this. */
  since: number;
  due: number;
  tries: number;
}

/**
 * The files of a folder that are not known to be complete.
 *
 * A copy that stalls, or a share that allocates the whole size first, rests long before it is
 * complete; so a file that does not decode is tried again, less and less often, until it has rested
 * for all our patience. Any change begins anew. Clocks of other machines play no part: only what is
 * seen here, and when.
 */
export class Settling {
  readonly #files = new Map<string, Unsettled>();
  readonly #times: SettleTimes;

  constructor(times: SettleTimes) {
    this.#times = times;
  }

  get size(): number {
    return this.#files.size;
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  /** A file is there and looks like `stamp`. */
  see(file: string, stamp: Stamp, now: number): void {
    if (this.#files.get(file)?.stamp === stamp) return;
    this.#files.set(file, { stamp, since: now, due: now + this.#times.rest, tries: 0 });
  }

  /** A file is gone, or is no longer of concern. */
  drop(file: string): void {
    this.#files.delete(file);
  }

  /** Takes the files that have rested and are to be looked into now; each comes up once. */
  takeDue(now: number): readonly (readonly [file: string, stamp: Stamp])[] {
    const due: [string, Stamp][] = [];
    for (const [file, unsettled] of this.#files) {
      if (unsettled.due > now) continue;
      unsettled.due = Number.POSITIVE_INFINITY; // until the caller says what came of it
      due.push([file, unsettled.stamp]);
    }
    return due;
  }

  /** When the next file is to be looked into; undefined when there is none. */
  nextDue(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#files.values()) next = Math.min(next, due);
    return Number.isFinite(next) ? next : undefined;
  }

  /**
   * A file that rested did not decode.
   *
   * @returns whether to give it up; otherwise it will be due again
   */
  failed(file: string, stamp: Stamp, now: number): boolean {
    const unsettled = this.#files.get(file);
    if (unsettled?.stamp !== stamp) return false;
    const givenUpAt = unsettled.since + this.#times.patience;
    if (now >= givenUpAt) return true;
    unsettled.tries++;
    const pause = Math.max(this.#times.rest, 250) * 2 ** unsettled.tries;
    unsettled.due = Math.min(now + pause, givenUpAt);
    return false;
  }

  /** Something other than the file was in the way: it is due again after `pause` milliseconds. */
  postpone(file: string, now: number, pause: number): void {
    const unsettled = this.#files.get(file);
    if (unsettled) unsettled.due = now + pause;
  }
}
