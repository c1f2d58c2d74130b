/** @file From a file in the watched folder to a job in the queue: rest, decode, compare, enqueue. */
import { join } from 'node:path';
import { sidecarOf } from '../pipeline/sidecar.ts';
import type { Context, IdentifiedRule } from './context.ts';
import type { Failures } from './failures.ts';
import { jobKey, mannerOf } from './identity.ts';
import type { Checked } from './kind.ts';
import type { CheckTask } from './messages.ts';
import type { KnownFiles } from './known.ts';
import type { Originals } from './originals.ts';
import { isWithin, type Places } from './places.ts';
import type { JobQueue } from './queue.ts';
import type { JobRecord } from './record.ts';
import { isInPlace, type Results } from './results.ts';
import { Settling } from './settle.ts';
import { stampOf, type Stamp } from './stamp.ts';
import type { State } from './state.ts';
import { WorkerError } from './worker-process.ts';

/** The parts of one rule that work on its files. */
export interface Desk {
  readonly rule: IdentifiedRule;
  readonly places: Places;
  readonly state: State;
  readonly known: KnownFiles;
  readonly queue: JobQueue;
  readonly results: Results;
  readonly originals: Originals;
  readonly failures: Failures;
}

/** Most time for reading one file to its end, in ms. */
const checkTime = 10 * 60_000;
/** After trouble that is not the file's, in ms. */
const postponed = 10_000;

/** Takes in the files of one watched folder. */
export class Intake {
  readonly #context: Context;
  readonly #desk: Desk;
  readonly #settling: Settling;
  #timer: NodeJS.Timeout | undefined;
  /** Looks under way, one a file. */
  readonly #looking = new Map<string, Promise<void>>();

  constructor(context: Context, desk: Desk) {
    this.#context = context;
    this.#desk = desk;
    this.#settling = new Settling(context.settings);
  }

  /** Files that are not known to be complete. */
  get settling(): number {
    return this.#settling.size;
  }

  /** Whether nothing is to be done about a file, which most are in a sweep: known, and to stay. */
  isQuiet(file: string, stamp: Stamp): boolean {
    const known = this.#desk.known.get(file);
    if (known?.stamp !== stamp) return false;
    return known.status !== 'done' || this.#stays;
  }

  /** Captions lie beside pictures and are no inputs themselves. */
  #isCaption(file: string): boolean {
    return this.#desk.rule.rule.captions === true && /\.txt$/i.test(file);
  }

  get #stays(): boolean {
    const { rule, places } = this.#desk;
    return rule.rule.originals.kind === 'keep' || !places.writable;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at one file: something may have happened to it. */
  async look(file: string): Promise<void> {
    const stamp = await stampOf(join(this.#desk.places.in, file)).catch(() => undefined);
    if (stamp === undefined) this.#settling.drop(file);
    else await this.see(file, stamp);
  }

  /** A file is there and looks like `stamp`. */
  async see(file: string, stamp: Stamp): Promise<void> {
    if (this.#isCaption(file)) return;
    const before = this.#looking.get(file) ?? Promise.resolve();
    const look = before.then(() => this.#see(file, stamp)).catch(this.#trouble(file));
    this.#looking.set(file, look);
    await look;
    if (this.#looking.get(file) === look) this.#looking.delete(file);
  }

  async #see(file: string, stamp: Stamp): Promise<void> {
    const { known } = this.#desk;
    let now = known.get(file);
    if (!now && !this.#settling.has(file)) {
      now = await known.recall(file, stamp);
      if (now) known.set(file, now);
    }
    if (now?.stamp !== stamp) {
      this.#settling.see(file, stamp, performance.now());
      this.#arm();
      return;
    }
    this.#settling.drop(file);
    // Done, and still here though it was to leave: the disk it goes to was away.
    if (now.status === 'done' && !this.#stays) await this.dispose(file, stamp, now.key);
  }

  #arm(): void {
    if (this.#timer || this.#context.signal.aborted) return;
    const every = Math.min(250, Math.max(20, this.#context.settings.rest / 4));
    this.#timer = setInterval(() => {
      if (this.#settling.size === 0) this.stop();
      for (const [file, stamp] of this.#settling.takeDue(performance.now())) {
        void this.#check(file, stamp).catch(this.#trouble(file));
      }
    }, every);
  }

  /** A file has rested: if it is still the same and decodes, it is complete. */
  async #check(file: string, stamp: Stamp): Promise<void> {
    if (!(await this.#unchanged(file, stamp))) return;
    let checked: Checked;
    try {
      checked = await this.#context.checker.check(this.#task(file), checkTime);
    } catch (error) {
      if (await this.#unchanged(file, stamp)) await this.#refused(file, stamp, error);
      return;
    }
    if (!(await this.#unchanged(file, stamp))) return;
    await this.#deposit(file, stamp, checked);
    this.#settling.drop(file);
  }

  #task(file: string): CheckTask {
    const { places, results, rule } = this.#desk;
    const { program } = this.#context.settings;
    return {
      file: join(places.in, file),
      result: results.nameOf(file),
      manner: mannerOf(rule.rule),
      ...(program !== undefined && { program }),
    };
  }

  async #unchanged(file: string, stamp: Stamp): Promise<boolean> {
    const now = await stampOf(join(this.#desk.places.in, file));
    if (now === stamp) return true;
    if (now === undefined) this.#settling.drop(file);
    else this.#settling.see(file, now, performance.now());
    return false;
  }

  async #refused(file: string, stamp: Stamp, error: unknown): Promise<void> {
    const now = performance.now();
    const kind = error instanceof WorkerError ? error.class : 'bug';
    if (kind === 'stopped') return;
    if (kind === 'setup' || kind === 'disk') {
      this.#context.log.error({ error: (error as Error).message }, 'cannot check files');
      this.#settling.postpone(file, now, postponed);
      return;
    }
    if (!this.#settling.failed(file, stamp, now)) return;
    const reason = error instanceof Error ? error.message : String(error);
    await this.fail(file, stamp, reason, kind === 'refused' ? 'undecodable' : kind);
    this.#settling.drop(file);
  }

  /** Gives a file up: it goes to the failed ones. */
  async fail(file: string, stamp: Stamp, reason: string, kind: string): Promise<void> {
    const { places, failures, known } = this.#desk;
    const record = await failures.add(file, stamp, reason, kind);
    if (!record) {
      void this.look(file);
      return;
    }
    if (places.writable) known.forget(file);
    else await known.keep(file, stamp, undefined);
    const { log, listener } = this.#context;
    log.warn({ file, moved: record.moved, reason, class: kind }, 'failed');
    const { moved } = record;
    listener.onFailed({ in: places.in, file, moved, reason, class: kind });
  }

  /** A complete file becomes a job, unless its content has its result or waits for it already. */
  async #deposit(file: string, stamp: Stamp, checked: Checked): Promise<void> {
    const { rule, known, queue, state } = this.#desk;
    const { log, wake } = this.#context;
    const key = jobKey(checked, rule);
    const before = known.get(file);
    const prior = before?.status === 'done' ? before.key || before.prior : before?.prior;
    if (queue.has(key)) {
      known.set(file, { stamp, key, status: 'queued', prior });
      log.info({ file }, 'waits for the result of a file with the same content');
      return;
    }
    if (await this.#isDone(key, file, stamp)) {
      log.info({ file }, 'its content has been upscaled already');
      await this.dispose(file, stamp, key);
      return;
    }
    const { sha256, bytes, width, height } = checked;
    const record: JobRecord = {
      key,
      file,
      stamp,
      sha256,
      bytes,
      width,
      height,
      failures: [],
      interrupted: 0,
      notBefore: 0,
      added: new Date().toISOString(),
      replaces: prior === key ? undefined : prior,
    };
    await state.enqueue(record);
    known.set(file, { stamp, key, status: 'queued', prior });
    queue.add(record);
    log.debug({ file, key }, 'queued');
    wake();
  }

  /** Whether the content has its result, here and not where results went before. */
  async #isDone(key: string, file: string, stamp: Stamp): Promise<boolean> {
    const { state, places, results } = this.#desk;
    const record = await state.done(key);
    if (record?.published && isWithin(record.published.target, places.out)) {
      // The very file that was upscaled: whoever took its result away has had it.
      if (record.file === file && record.stamp === stamp) return true;
      if (await isInPlace(record.published)) return true;
    }
    const published = await results.find(key, file);
    if (!published) return false;
    const found = { key, file, stamp, sha256: '', bytes: 0, width: 0, height: 0, failures: [] };
    const added = new Date().toISOString();
    await state.adopt({ ...found, added, interrupted: 0, notBefore: 0, published });
    return true;
  }

  /** The result of a file is there: the file stays, goes, or is moved, as the rule says. */
  async dispose(file: string, stamp: Stamp, key: string): Promise<void> {
    const { rule, places, known } = this.#desk;
    const wanted = rule.rule.originals;
    if (wanted.kind === 'keep' || !places.writable) {
      await known.keep(file, stamp, key);
      return;
    }
    known.set(file, { stamp, key, status: 'done' });
    const gone = await this.#take(file, stamp);
    const caption = rule.rule.captions ? sidecarOf(file) : undefined;
    if (gone && caption !== undefined) {
      const beside = await stampOf(join(places.in, caption));
      if (beside !== undefined) await this.#take(caption, beside);
    }
    known.forget(file);
    if (!gone) void this.look(file); // not awaited: a look may have brought us here
  }

  /** Deletes an original or moves it. @returns false when another file has its name by now */
  async #take(file: string, stamp: Stamp): Promise<boolean> {
    const { rule, places, originals } = this.#desk;
    if (rule.rule.originals.kind === 'delete') return originals.delete(file, stamp);
    return (await originals.moveTo(places.done!, file, stamp)) !== undefined;
  }

  /** A look that failed is no end: the next sweep looks again. */
  #trouble(file: string): (error: unknown) => void {
    return (error) => {
      if (this.#context.signal.aborted) return;
      this.#settling.postpone(file, performance.now(), postponed);
      this.#context.log.error({ file, error: String(error) }, 'cannot be handled now');
    };
  }
}
