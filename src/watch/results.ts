/** @file Results appear in their folder whole, once, and under a name that takes nothing's place. */
import { lstat, mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { codeOf, firstFree, move, writeWhole } from './moves.ts';
import { companion, hiddenName, numbered, resultName } from './names.ts';
import type { JobRecord, Published } from './record.ts';
import type { State } from './state.ts';

/** The folder of results of one rule. */
export class Results {
  readonly #out: string;
  readonly #ending: string | undefined;
  readonly #state: State;
  /** Of this state's own; everything in it is unfinished. */
  readonly hidden: string;

  constructor(out: string, ending: string | undefined, state: State) {
    this.#out = out;
    this.#ending = ending;
    this.#state = state;
    this.hidden = join(out, `${hiddenName}-${state.id}`);
  }

  /** The name of a file's result, were nothing in its place. */
  nameOf(file: string): string {
    return join(this.#out, resultName(file, this.#ending));
  }

  /** Where the result of a job is written while it is unfinished. */
  async part({ key, file }: JobRecord): Promise<string> {
    await mkdir(this.hidden, { recursive: true });
    return join(this.hidden, key + extname(resultName(file, this.#ending)));
  }

  /**
   * Publishes a finished part: first the intention is recorded, then the sidecar and the result are
   * renamed into place, then the job is done. A crash anywhere leaves what `resume` can end.
   *
   * @param sidecar what it says beside the name of the result
   * @returns the record as it is kept
   */
  async publish(
    record: JobRecord,
    part: string,
    sidecar: Readonly<Record<string, unknown>>,
  ): Promise<JobRecord> {
    const { size: bytes } = await stat(part);
    const old = record.replaces === undefined ? undefined : await this.#state.done(record.replaces);
    const name = this.nameOf(record.file);
    for (;;) {
      const replace = await isOwn(name, record, old);
      const n = replace ? 1 : await firstFree((n) => isFree(numbered(name, n)));
      const target = numbered(name, n);
      const published: Published = { part, target, bytes, sidecar, replace };
      const intended = { ...record, published };
      await this.#state.intend(intended);
      if (await this.#place(intended.key, published)) {
        await this.#end(intended);
        return intended;
      }
    }
  }

  /**
   * Ends what a crash has left of a publication.
   *
   * @returns undefined when it cannot be told whether the result was there: the job is to be done again
   */
  async resume(record: JobRecord): Promise<JobRecord | undefined> {
    const { published } = record;
    if (!published) return undefined;
    if (await exists(published.part)) {
      const placed = await this.#place(record.key, published);
      if (!placed) return this.publish(record, published.part, published.sidecar);
      await this.#end(record);
      return record;
    }
    // The part leaves its folder only by its rename into place; without the folder nobody knows.
    const known = (await exists(this.hidden)) || (await hasSize(published.target, published.bytes));
    if (!known) return undefined;
    await this.#end(record);
    return record;
  }

  /** A result with this key that lies in its place though the state does not know of it. */
  async find(key: string, file: string): Promise<Published | undefined> {
    const target = this.nameOf(file);
    const sidecar = await readSidecar(target);
    const bytes = (sidecar?.['output'] as { bytes?: unknown } | undefined)?.bytes;
    if (sidecar?.['key'] !== key || typeof bytes !== 'number') return undefined;
    if (!(await hasSize(target, bytes))) return undefined;
    return { part: '', target, bytes, sidecar, replace: false };
  }

  /** Removes what was left unfinished, but for what belongs to the jobs with these keys. */
  async clean(keep: ReadonlySet<string>): Promise<void> {
    for (const name of await namesIn(this.hidden)) {
      const [key = ''] = /[0-9a-f]{64}/.exec(name) ?? [];
      if (!keep.has(key)) await rm(join(this.hidden, name), { recursive: true, force: true });
    }
    await rmdir(this.hidden).catch(() => undefined); // others' files stay, and the folder with them
  }

  async #place(
    key: string,
    { part, target, bytes, sidecar, replace }: Published,
  ): Promise<boolean> {
    const draft = join(this.hidden, `${key}.json`);
    const text = JSON.stringify(
      { ...sidecar, output: { ...(sidecar['output'] as object), file: basename(target), bytes } },
      null,
      2,
    );
    await writeWhole(draft, `${text}\n`, true);
    await move(draft, companion(target, '.json'), { via: this.hidden, ifTaken: 'replace' });
    return move(part, target, { via: this.hidden, ifTaken: replace ? 'replace' : 'leave' });
  }

  async #end(record: JobRecord): Promise<void> {
    if (record.published?.replace && record.replaces !== undefined) {
      await this.#state.forgetDone(record.replaces);
    }
    await this.#state.finish(record.key);
  }
}

/** Whether a result is still there as it was published. */
export async function isInPlace({ target, bytes }: Published): Promise<boolean> {
  return hasSize(target, bytes);
}

/** Whether `target` is the result of an earlier state of the same file, untouched since. */
async function isOwn(
  target: string,
  record: JobRecord,
  old: JobRecord | undefined,
): Promise<boolean> {
  if (old?.published?.target !== target || old.file !== record.file) return false;
  const key = (await readSidecar(target))?.['key'];
  return key === old.key && (await isInPlace(old.published));
}

/** Whether nothing has the name, nor that of its sidecar, unless it is one of ours left alone. */
async function isFree(target: string): Promise<boolean> {
  if (await exists(target)) return false;
  if (!(await exists(companion(target, '.json')))) return true;
  return (await readSidecar(target))?.['program'] === 'osediff';
}

async function readSidecar(target: string): Promise<Record<string, unknown> | undefined> {
  try {
    const text = await readFile(companion(target, '.json'), 'utf8');
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

async function hasSize(path: string, bytes: number): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.size === bytes;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
