/** @file Tells others of results and failures: runs a command, or posts to an address. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Most time for one command or post, in ms. */
const longest = 30_000;
/** Tries of a post, and the pause before the second, in ms; later ones are four times as long. */
const posts = { tries: 3, pause: 1000 } as const;
/** Events that wait for a slow receiver; beyond, the oldest are dropped and logged. */
const mostWaiting = 1000;

/** What is told: flat, so that a shell can use it. */
export type HookEvent = Readonly<Record<string, string | number>>;

/**
 * One command or http(s) address, told of one event after another.
 *
 * A command is run by the shell; the event is in its environment (`OSEDIFF_FILE`, `OSEDIFF_OUTPUT`
 * ...) and as JSON on its standard input, never in the command line, since file names may hold
 * anything. An address gets the JSON by POST.
 */
export class Hook {
  readonly #target: string;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #waiting: HookEvent[] = [];
  #running = false;

  constructor(target: string, log: Logger, signal: AbortSignal) {
    this.#target = target;
    this.#log = log;
    this.#signal = signal;
  }

  tell(event: HookEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > mostWaiting) {
      this.#log.error({ lost: this.#waiting.shift() }, 'hook is too slow');
    }
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let event = this.#waiting.shift(); event; event = this.#waiting.shift()) {
      if (this.#signal.aborted) break;
      try {
        await (/^https?:\/\//i.test(this.#target) ? this.#post(event) : this.#command(event));
      } catch (error) {
        if (this.#signal.aborted) break;
        const { message } = error as Error;
        this.#log.error({ hook: this.#target, event, error: message }, 'hook failed');
      }
    }
    this.#running = false;
  }

  async #post(event: HookEvent): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(this.#target, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(event),
          signal: AbortSignal.any([this.#signal, AbortSignal.timeout(longest)]),
        });
        await response.body?.cancel();
        if (response.ok) return;
        throw new Error(`answered ${response.status}`);
      } catch (error) {
        if (attempt === posts.tries || this.#signal.aborted) throw error;
        await sleep(posts.pause * 4 ** (attempt - 1), undefined, { signal: this.#signal });
      }
    }
  }

  async #command(event: HookEvent): Promise<void> {
    const variables = Object.entries(event).map(
      ([name, value]) => [`OSEDIFF_${name.toUpperCase()}`, String(value)] as const,
    );
    const child = spawn(this.#target, {
      shell: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, ...Object.fromEntries(variables) },
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(longest)]),
      killSignal: 'SIGKILL',
    });
    child.stdin.on('error', () => undefined); // it need not read
    child.stdin.end(JSON.stringify(event));
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`ended with ${signal ?? `exit code ${code}`}`));
      });
    });
  }
}
