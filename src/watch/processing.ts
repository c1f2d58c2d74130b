/** @file From a job in the queue to its result: claim, upscale, publish; or try again, or give up. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from './context.ts';
import type { Executor } from './executor.ts';
import type { Desk, Intake } from './intake.ts';
import { mannerOf } from './identity.ts';
import type { UpscaledFile, UpscaleTask } from './messages.ts';
import { codeOf } from './moves.ts';
import type { Pause } from './pause.ts';
import type { Waiting } from './queue.ts';
import type { JobRecord } from './record.ts';
import { sidecarOf } from './sidecar.ts';
import { stampOf } from './stamp.ts';
import { isEnvironment, type FailureClass, WorkerError } from './worker-process.ts';

/** A file is given up when the program ended so often while it was upscaled: it may be the cause. */
const mostInterruptions = 25;
/** So many processes down in a row are suspicious. */
const suspicious = 5;
/** Longest edge of previews, in pixels. */
const previewEdge = 320;

/** Works on the jobs of one rule. */
export class Processing {
  readonly #context: Context;
  readonly #desk: Desk;
  readonly #intake: Intake;
  readonly #pause: Pause;
  readonly #executor: Executor;
  /** Tries since the last result that brought down their process. */
  #downInARow = 0;
  /** Files under way and how far each is, 0 to 1. */
  readonly progress: Map<string, number> = new Map();

  constructor(context: Context, desk: Desk, intake: Intake, pause: Pause, executor: Executor) {
    this.#context = context;
    this.#desk = desk;
    this.#intake = intake;
    this.#pause = pause;
    this.#executor = executor;
  }

  /** Handles a job that was taken from the queue, whatever becomes of it. */
  async handle({ key, file }: Waiting): Promise<void> {
    const { state, queue } = this.#desk;
    try {
      const record = await state.claim(key);
      if (!record || !(await this.#isCurrent(record))) {
        await this.#drop(key, file);
        return;
      }
      if (record.interrupted >= mostInterruptions) {
        const reason = `the program ended ${record.interrupted} times while it upscaled this file`;
        await this.#giveUp(record, reason, 'crash');
        return;
      }
      this.progress.set(file, 0);
      try {
        await this.#upscale(record);
      } catch (error) {
        await this.#onFailure(record, error);
      }
    } catch (error) {
      // The state or the failed files' folder cannot be written: the record stays where it is.
      queue.add({ key, file, notBefore: 0 });
      if (!this.#context.signal.aborted) this.#stop(String(error), codeOf(error));
    } finally {
      this.progress.delete(file);
    }
  }

  /** Ends, after a crash, what `work` holds: published results, and interrupted jobs. */
  async recover(records: readonly JobRecord[]): Promise<void> {
    const { state, results, queue } = this.#desk;
    for (const record of records) {
      const resumed = await results.resume(record);
      if (resumed) {
        await this.#finish(resumed);
        continue;
      }
      // To the end of the queue: a picture that takes the whole machine down must not be in the way.
      const again = {
        ...record,
        interrupted: record.interrupted + 1,
        added: new Date().toISOString(),
      };
      await state.requeue(again);
      queue.add(again);
    }
  }

  /** Whether the file is still the one that was queued. */
  async #isCurrent({ file, stamp }: JobRecord): Promise<boolean> {
    return (await stampOf(join(this.#desk.places.in, file))) === stamp;
  }

  /** A job whose file has changed or left; files with the same content are looked at anew. */
  async #drop(key: string, file: string): Promise<void> {
    const { state, queue, known } = this.#desk;
    await state.abandon(key);
    queue.remove(key);
    this.#context.log.debug({ file }, 'left or changed while it waited');
    for (const other of new Set([...known.withKey(key), file])) {
      known.forget(other);
      await this.#intake.look(other);
    }
  }

  async #upscale(record: JobRecord): Promise<void> {
    const { rule, places, results } = this.#desk;
    const { file } = record;
    const started = Date.now();
    const part = await results.part(record);
    const path = join(places.in, file);
    // Held open, the file can be told from another that takes its name.
    const handle = await open(path, 'r').catch(() => undefined);
    let result: UpscaledFile;
    try {
      const { http, program } = this.#context.settings;
      const task: UpscaleTask = {
        file: path,
        result: part,
        manner: mannerOf(rule.rule),
        fresh: record.failures.length > 0,
        ...(program !== undefined && { program }),
        ...(http && { previews: previewEdge }),
      };
      result = await this.#executor.upscale(task, (fraction) => this.progress.set(file, fraction));
      const after = await handle?.stat({ bigint: true });
      const untouched = after && `${after.size}:${after.mtimeNs}` === record.stamp;
      const there = await stampOf(path);
      if (!untouched || (there !== undefined && there !== record.stamp)) {
        await this.#drop(record.key, file); // it was written to, or replaced, while it was read
        return;
      }
    } finally {
      await handle?.close();
    }
    const finished = Date.now();
    const sidecar = sidecarOf(record, rule, result, { started, finished });
    const done = await results.publish(record, part, sidecar);
    this.#resume();
    const { width, height, previews } = result;
    const seconds = (finished - started) / 1000;
    const output = done.published!.target;
    this.#context.log.info({ file, output, width, height, seconds }, 'done');
    this.#context.listener.onDone({
      in: places.in,
      file,
      output,
      width,
      height,
      seconds,
      sha256: record.sha256,
      ...(previews && { previews }),
    });
    await this.#finish(done);
  }

  /** A result is in its place: its original, and files with the same content, are disposed of. */
  async #finish({ key, file, stamp, replaces, published }: JobRecord): Promise<void> {
    const { queue, known } = this.#desk;
    queue.remove(key);
    const files = new Map([[file, stamp]]);
    for (const other of known.withKey(key)) files.set(other, known.get(other)!.stamp);
    for (const [other, stamp] of files) {
      await this.#intake.dispose(other, stamp, key).catch((error: unknown) => {
        // It stays, known to be done: each sweep tries again.
        this.#context.log.error({ file: other, error: String(error) }, 'original cannot be moved');
      });
    }
    if (!published?.replace || replaces === undefined) return;
    for (const other of known.withKey(replaces)) {
      known.forget(other); // its result was replaced by another file's: it gets its own now
      await this.#intake.look(other);
    }
  }

  async #onFailure(record: JobRecord, error: unknown): Promise<void> {
    const { state, queue } = this.#desk;
    const { settings, log, listener } = this.#context;
    const failure = error instanceof WorkerError ? error : ownFailure(error);
    if (failure.class === 'stopped' || this.#context.signal.aborted) {
      await state.requeue(record);
      queue.add(record);
      return;
    }
    if (!(await this.#isCurrent(record))) {
      await this.#drop(record.key, record.file);
      return;
    }
    listener.onFailure(failure.class);
    if (failure.class === 'setup' || failure.class === 'disk') {
      await state.requeue(record);
      queue.add(record);
      this.#stop(failure.message, failure.code);
      return;
    }
    // One picture may bring down its process, several in a row hardly: the trouble may be elsewhere,
    // and a folder of good pictures is not to be given up while nobody looks.
    this.#downInARow = isDown(failure.class) ? this.#downInARow + 1 : 0;
    if (this.#downInARow >= suspicious) this.#stop(failure.message);
    const failures = [...record.failures, failure.message];
    log.warn({ file: record.file, reason: failure.message, try: failures.length }, 'try failed');
    if (failures.length >= settings.tries) {
      const tries = failures.length === 1 ? '1 try' : `${failures.length} tries`;
      await this.#giveUp(record, `${failure.message} (${tries})`, failure.class);
      return;
    }
    const wait = settings.retryAfter * 6 ** (failures.length - 1);
    const again = { ...record, failures, notBefore: Date.now() + wait };
    await state.requeue(again);
    queue.add(again);
  }

  async #giveUp(record: JobRecord, reason: string, kind: string): Promise<void> {
    const { state, queue, known } = this.#desk;
    const { key, file, stamp } = record;
    await this.#intake.fail(file, stamp, reason, kind);
    await state.abandon(key);
    queue.remove(key);
    for (const other of known.withKey(key)) {
      if (known.get(other)?.status !== 'queued') continue;
      known.forget(other);
      await this.#intake.look(other);
    }
  }

  /** Jobs of this rule wait a while. */
  #stop(reason: string, code?: string): void {
    if (this.#pause.set(reason, Date.now(), code)) {
      this.#context.log.error({ in: this.#desk.places.in, reason }, 'paused');
    }
  }

  #resume(): void {
    this.#downInARow = 0;
    if (this.#pause.clear()) this.#context.log.info({ in: this.#desk.places.in }, 'goes on');
  }
}

/** Whether a failure brought down, or had to, the process that the file was in. */
function isDown(kind: FailureClass): boolean {
  return kind === 'crash' || kind === 'memory' || kind === 'time' || kind === 'device';
}

/** An error of our own side, as when publishing, as a failure. */
function ownFailure(error: unknown): WorkerError {
  const { code, message } = error as NodeJS.ErrnoException;
  const disk = isEnvironment(code, undefined, undefined);
  return new WorkerError(disk ? 'disk' : 'refused', message, code);
}
