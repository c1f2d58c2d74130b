/** @file One job after the other, in the order they came. */

/** What waits. */
interface Waiting {
  readonly start: () => void;
  readonly moved: (ahead: number) => void;
}

/** Runs tasks one at a time: pictures share the cores and the memory. */
export class JobQueue {
  readonly #waiting: Waiting[] = [];
  #running = false;

  /** Tasks under way and waiting. */
  get size(): number {
    return this.#waiting.length + (this.#running ? 1 : 0);
  }

  /**
   * Runs a task when those before it are through.
   *
   * @param onMoved told how many are ahead, at first and whenever that changes; not when none is
   * @throws the signal's reason when it aborts before the task's turn, else what the task throws
   */
  async run<T>(
    task: () => Promise<T>,
    signal: AbortSignal,
    onMoved: (ahead: number) => void,
  ): Promise<T> {
    await this.#turn(signal, onMoved);
    try {
      return await task();
    } finally {
      this.#running = false;
      this.#next();
    }
  }

  #turn(signal: AbortSignal, moved: (ahead: number) => void): Promise<void> {
    signal.throwIfAborted();
    if (!this.#running) {
      this.#running = true;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#tell();
        reject(signal.reason as Error);
      };
      const start = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting = { start, moved };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
      moved(this.#waiting.length);
    });
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (!next) return;
    this.#running = true;
    this.#tell();
    next.start();
  }

  #tell(): void {
    for (const [i, { moved }] of this.#waiting.entries()) moved(i + 1);
  }
}
