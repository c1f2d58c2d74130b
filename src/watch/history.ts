/** @file What has happened lately, for the status page: throughput and the last pictures. */
import type { DoneEvent } from './context.ts';

/** A picture that was upscaled, as the status page shows it. */
export interface RecentPicture {
  readonly id: number;
  readonly in: string;
  readonly file: string;
  readonly output: string;
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
  /** ISO 8601. */
  readonly at: string;
  /** Whether there are previews of it. */
  readonly previews: boolean;
}

/** How many of the last pictures are kept, with their previews. */
const kept = 12;
/** Throughput is counted by the minute, over the last hour. */
const minutes = 60;

/** Remembers the last pictures and counts by the minute; it does not grow. */
export class History {
  readonly #recent: {
    readonly picture: RecentPicture;
    readonly previews: DoneEvent['previews'];
  }[] = [];
  readonly #counts = new Map<number, { pictures: number; pixels: number }>();
  readonly #now: () => number;
  #next = 1;
  /** Since the start. */
  done = 0;
  failed = 0;

  /** @param now clock in milliseconds since 1970 */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  add(event: DoneEvent): void {
    const { file, output, width, height, seconds, previews } = event;
    const now = this.#now();
    this.done++;
    const at = new Date(now).toISOString();
    const shown = { in: event.in, file, output, width, height, seconds, at };
    const picture = { id: this.#next++, ...shown, previews: previews !== undefined };
    this.#recent.unshift({ picture, previews });
    this.#recent.length = Math.min(this.#recent.length, kept);
    const minute = Math.floor(now / 60_000);
    const count = this.#counts.get(minute) ?? { pictures: 0, pixels: 0 };
    count.pictures++;
    count.pixels += width * height;
    this.#counts.set(minute, count);
    for (const old of this.#counts.keys()) if (old <= minute - minutes) this.#counts.delete(old);
  }

  /** The last pictures, the latest first. */
  get recent(): readonly RecentPicture[] {
    return this.#recent.map(({ picture }) => picture);
  }

  /** The bytes of a WebP preview. */
  preview(id: number, which: 'before' | 'after'): Buffer | undefined {
    const previews = this.#recent.find(({ picture }) => picture.id === id)?.previews;
    return previews && Buffer.from(previews[which], 'base64');
  }

  /** Results of the last hour: how many, and their megapixels. */
  get lastHour(): { readonly pictures: number; readonly megapixels: number } {
    const oldest = Math.floor(this.#now() / 60_000) - minutes;
    let [pictures, pixels] = [0, 0];
    for (const [minute, count] of this.#counts) {
      if (minute <= oldest) continue;
      pictures += count.pictures;
      pixels += count.pixels;
    }
    return { pictures, megapixels: pixels / 1e6 };
  }
}
