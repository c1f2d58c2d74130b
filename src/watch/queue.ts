/** @file The order of jobs that wait: in memory, since the records themselves lie in the state. */
/** A job that waits. */
export interface Waiting {
  readonly key: string;
  readonly file: string;
  /** Not before this time, in milliseconds since 1970. */
  readonly notBefore: number;
}

/** Jobs of one rule, first come first served; those that must wait let others pass. */
export class JobQueue {
  readonly #waiting = new Map<string, Waiting>();
  readonly #active = new Set<string>();

  /** Jobs that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whether the job waits or is under way. */
  has(key: string): boolean {
    return this.#waiting.has(key) || this.#active.has(key);
  }

  /** Adds a job at the end, or puts one that is under way back there. */
  add({ key, file, notBefore }: Waiting): void {
    this.#active.delete(key);
    this.#waiting.delete(key);
    this.#waiting.set(key, { key, file, notBefore });
  }

  /** Takes the first job that need not wait any longer; it is under way until added or removed. */
  take(now: number): Waiting | undefined {
    for (const waiting of this.#waiting.values()) {
      if (waiting.notBefore > now) continue;
      this.#waiting.delete(waiting.key);
      this.#active.add(waiting.key);
      return waiting;
    }
    return undefined;
  }

  remove(key: string): void {
    this.#waiting.delete(key);
    this.#active.delete(key);
  }

  /** When the next job can be taken: 0 for at once, undefined when there is none. */
  nextAt(now: number): number | undefined {
    let next: number | undefined;
    for (const { notBefore } of this.#waiting.values()) {
      if (notBefore <= now) return 0;
      next = Math.min(next ?? notBefore, notBefore);
    }
    return next;
  }

  /** Keys of the waiting jobs whose files are such. */
  keysOf(isSuch: (file: string) => boolean): readonly string[] {
    const such = [...this.#waiting.values()].filter(({ file }) => isSuch(file));
    return such.map(({ key }) => key);
  }

  /** The first files that wait. */
  first(count: number): readonly string[] {
    const files: string[] = [];
    for (const { file } of this.#waiting.values()) {
      if (files.length === count) break;
      files.push(file);
    }
    return files;
  }
}
