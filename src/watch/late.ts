/** @file Failed files whose writers were only slow: an upload that stalled goes on where the file lies now. */
import type { Failures } from './failures.ts';
import type { FailureRecord } from './record.ts';
import { stampOf } from './stamp.ts';

/** How long a failed file may still change, in ms. */
const longest = 60 * 60_000;
/** How many of the latest are looked at. */
const most = 50;

/** Looks whether failed files change after all, and takes them back. */
export class LateFiles {
  readonly #failures: Failures;

  constructor(failures: Failures) {
    this.#failures = failures;
  }

  /** Takes back those that have changed. @returns their paths below the watched folder */
  async complete(now: number = Date.now()): Promise<readonly string[]> {
    const back: string[] = [];
    for (const record of await this.#recent(now)) {
      const stamp = await stampOf(record.moved);
      if (stamp === undefined || stamp === record.stamp) continue;
      const file = await this.#failures.retry(record.id);
      if (file !== undefined) back.push(file);
    }
    return back;
  }

  async #recent(now: number): Promise<readonly FailureRecord[]> {
    const latest = await this.#failures.list(most);
    return latest.filter(({ at }) => now - Date.parse(at) < longest);
  }
}
