/** @file One watched folder: swept again and again, and sooner where events point; its jobs, in turn. */
import { mkdir, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context, IdentifiedRule } from './context.ts';
import type { Executor } from './executor.ts';
import { listen } from './hints.ts';
import { codeOf } from './moves.ts';
import { isFilm } from './names.ts';
import { isRemote } from './network.ts';
import { Pause } from './pause.ts';
import type { Places } from './places.ts';
import { LateFiles } from './late.ts';
import type { Waiting } from './queue.ts';
import { scan } from './scan.ts';
import { openSession, type Session } from './session.ts';
import type { Stamp } from './stamp.ts';

/** Longest pause between two looks at a folder that must be polled, in ms. */
const pollEvery = 3000;
/**
 * A sweep takes some 0.01 ms of a core for each file (measured: 0.1 s for 10,000), and may take half
 * a percent of the time: so many ms to the next one for each file.
 */
const pauseForFile = 2;
/** Events of one file within this time count as one, in ms. */
const gather = 100;
/** A full disk on which nothing has been freed is tried again all the same, in ms. */
const fullDiskRetry = 5 * 60_000;

/** One rule at work. */
export class Folder {
  readonly places: Places;
  readonly pause: Pause = new Pause();
  readonly #context: Context;
  readonly #rule: IdentifiedRule;
  readonly #executor: Executor;
  #session: Session | undefined;
  #late: LateFiles | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => Promise<void>) | undefined;
  #polling = false;
  #sweeping = false;
  #hinted = new Set<string>();
  #freeWhenFull: readonly number[] = [];
  /** When the last sweep ended, in ms since 1970; 0 before the first. */
  sweptAt = 0;

  constructor(context: Context, rule: IdentifiedRule, places: Places, executor: Executor) {
    this.#context = context;
    this.#rule = rule;
    this.places = places;
    this.#executor = executor;
  }

  /** @throws PathError when another watcher has the folder */
  async start(): Promise<void> {
    await this.#open();
    const { settings, log } = this.#context;
    this.#polling = settings.polling || (await isRemote(this.places.in));
    if (!this.#polling) {
      const onHint = (file: string): void => this.#hint(file);
      const onError = (error: Error): void => {
        log.warn({ in: this.places.in, error: error.message }, 'no events: polling');
        this.#polling = true;
      };
      const onFolder = (): void => this.#sweepSoon();
      this.#unlisten = await listen(this.places, { onHint, onFolder, onError });
    }
    log.info({ ...this.places, events: !this.#polling }, 'watching');
    void this.#sweepForEver();
  }

  /** Stops looking; a job that is handled goes on to its end. */
  async stopLooking(): Promise<void> {
    clearTimeout(this.#timer);
    this.#session?.intake.stop();
    await this.#unlisten?.();
  }

  /** Gives the state back. */
  async close(): Promise<void> {
    const session = this.#session;
    if (session) await this.#clean(session);
    await session?.close();
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Takes the next job, unless none can be handled now. */
  async take(): Promise<Waiting | undefined> {
    const session = this.#session;
    if (!session || this.nextAt(Date.now()) !== 0) return undefined;
    try {
      if (!(await this.#isReady(session))) return undefined;
    } catch (error) {
      await this.#wait(String(error), codeOf(error));
      return undefined;
    }
    return session.desk.queue.take(Date.now());
  }

  /** When `take` may give a job: 0 for now, undefined for not before something happens. */
  nextAt(now: number): number | undefined {
    const next = this.#session?.desk.queue.nextAt(now);
    if (next === undefined && !this.#session?.unfinished.length) return undefined;
    const at = Math.max(next ?? 0, this.pause.until);
    return at <= now ? 0 : at;
  }

  async handle(waiting: Waiting): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const { desk, processing } = session;
    await processing.handle(waiting);
    // A job that met a full disk has just set the pause.
    if (this.pause.code === 'ENOSPC') this.#freeWhenFull = await this.#free();
    if (desk.queue.size === 0 && processing.progress.size === 0) await this.#clean(session);
  }

  /** Tries a failed file again. @returns whether it was there */
  async retry(id: string): Promise<boolean> {
    const { desk, intake } = this.#session ?? {};
    const file = await desk?.failures.retry(id);
    if (file === undefined) return false;
    await desk!.known.gone(file);
    await intake!.look(file);
    return true;
  }

  async #open(): Promise<void> {
    const { places } = this;
    this.#session = await openSession(
      ...([this.#context, this.#rule, places, this.#executor, this.pause] as const),
    );
    const { desk, shares } = this.#session;
    this.#late = new LateFiles(desk.failures);
    if (await shares.isThere(places.out)) await this.#clean(this.#session);
  }

  /** Removes unfinished results, but for films, which are gone on with, and what was to be published. */
  async #clean({ desk, unfinished }: Session): Promise<void> {
    const keys = [...desk.queue.keysOf(isFilm), ...unfinished.map(({ key }) => key)];
    await desk.results.clean(new Set(keys));
  }

  /** Looks at the whole folder a moment later, unless that is about to happen anyway. */
  #sweepSoon(): void {
    if (this.#sweeping || this.#context.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#sweepForEver(), 2 * gather);
  }

  async #sweepForEver(): Promise<void> {
    this.#sweeping = true;
    const { settings, log, signal } = this.#context;
    const files = await this.#sweep().catch((error: unknown) => {
      log.error({ in: this.places.in, error: String(error) }, 'cannot look at the folder');
      return 0;
    });
    this.sweptAt = Date.now();
    this.#sweeping = false;
    if (signal.aborted) return;
    const every = this.#polling ? Math.min(settings.sweep, pollEvery) : settings.sweep;
    const pause = Math.max(every, files * pauseForFile);
    this.#timer = setTimeout(() => void this.#sweepForEver(), pause);
  }

  /** @returns how many files there are */
  async #sweep(): Promise<number> {
    if (!(await this.#isInputThere())) return 0;
    const { desk, intake } = this.#session!;
    const before = desk.known.all();
    const seen = new Set<string>();
    let complete = true;
    await scan(this.places, {
      onFile: (file: string, stamp: Stamp) => {
        seen.add(file);
        if (!intake.isQuiet(file, stamp)) void intake.see(file, stamp);
      },
      onUnreadable: (folder, error) => {
        complete = false;
        this.#context.log.warn({ folder, error: String(error) }, 'cannot be looked into');
      },
    });
    // Files are forgotten only if the folder has been there all the time: a share that went away
    // takes its files with it, and brings them back.
    if (!complete || !(await this.#isInputThere())) return seen.size;
    for (const file of before) {
      if (!seen.has(file) && desk.known.get(file)?.status !== 'queued') await desk.known.gone(file);
    }
    for (const file of (await this.#late?.complete()) ?? []) await intake.look(file);
    this.#context.wake();
    return seen.size;
  }

  /** Whether the watched folder is there, and the state in it is the one that is open. */
  async #isInputThere(): Promise<boolean> {
    const { state } = this.#session!.desk;
    const found = await state.isThere();
    if (found === 'other') {
      this.#context.log.warn({ in: this.places.in }, 'holds another state: begins anew');
      await this.#session!.close();
      await this.#open();
      return true;
    }
    const gone = found === 'gone' || !(await this.#session!.shares.isThere(this.places.in));
    if (gone) {
      const reason = `${this.places.in}: its state is gone, as when a share is not mounted. Mount it; or restart, if it was removed.`;
      if (this.pause.set(reason, Date.now(), 'GONE')) {
        this.#context.log.error({ in: this.places.in, reason }, 'paused');
      }
    } else if (this.pause.code === 'GONE') {
      this.pause.clear();
      this.#context.log.info({ in: this.places.in }, 'goes on');
    }
    return !gone;
  }

  /** Whether the results' folder is there and may be written. */
  async #isReady(session: Session): Promise<boolean> {
    const { out } = this.places;
    const now = Date.now();
    // A share that went away since the last sweep must not look as if every file had been deleted.
    if (this.pause.code === 'GONE' || !(await this.#isInputThere())) return false;
    if (session !== this.#session) return false;
    if (!(await session.shares.isThere(out))) {
      return this.#wait(`${out}: expected the disk that results were written to. Mount it.`);
    }
    const { reason, code, since } = this.pause;
    if (reason !== undefined && code === 'ENOSPC' && now - since < fullDiskRetry) {
      const free = await this.#free();
      const grown = free.some((bytes, i) => bytes > (this.#freeWhenFull[i] ?? 0));
      if (!grown) return this.#wait(reason, code);
    }
    try {
      const { hidden } = session.desk.results;
      await mkdir(hidden, { recursive: true });
      const probe = join(hidden, 'probe');
      await writeFile(probe, 'x');
      await unlink(probe);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return this.#wait(message, code);
    }
    if (session.unfinished.length > 0) {
      const { unfinished } = session;
      session.unfinished = [];
      await session.processing.recover(unfinished);
      await this.#clean(session);
    }
    return true;
  }

  async #wait(reason: string, code?: string): Promise<false> {
    if (this.pause.set(reason, Date.now(), code)) {
      this.#context.log.error({ out: this.places.out, reason }, 'paused');
      if (code === 'ENOSPC') this.#freeWhenFull = await this.#free();
    }
    return false;
  }

  /** Free bytes on the disks that we write to: where one has grown, it may be full no longer. */
  async #free(): Promise<readonly number[]> {
    const { out, state, failed } = this.places;
    const disks = await Promise.all(
      [out, state, failed].map((folder) => statfs(folder).catch(() => undefined)),
    );
    return disks.map((disk) => (disk?.bavail ?? 0) * (disk?.bsize ?? 0));
  }

  #hint(file: string): void {
    if (this.#hinted.size === 0) {
      setTimeout(() => {
        const files = this.#hinted;
        this.#hinted = new Set();
        for (const hinted of files) void this.#session?.intake.look(hinted);
      }, gather).unref();
    }
    this.#hinted.add(file);
  }
}
