/** @file The state of one watched folder: small files whose names and renames are the data base. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, syncFolder, writeWhole } from './moves.ts';
import type { FailureRecord, JobRecord, PathRecord } from './record.ts';

/** Folders of the state. `taken` holds originals on their way out of the watched folder. */
const folders = ['queue', 'work', 'done', 'paths', 'failed', 'taken'] as const;

/**
 * The state in a folder.
 *
 * Every file appears by a rename, so that after a power cut it is whole, absent, or (not synced) an
 * empty one that reads as absent. What would be lost with it is found again by looking at the
 * folder; what must not be lost (that a result exists) is synced.
 */
export class State {
  readonly folder: string;
  /** Tells this state from another that takes its place when a share is mounted. */
  readonly id: string;

  private constructor(folder: string, id: string) {
    this.folder = folder;
    this.id = id;
  }

  /** Opens the state in `folder`, or begins one. */
  static async open(folder: string): Promise<State> {
    for (const name of folders) await mkdir(join(folder, name), { recursive: true });
    const known = await readId(folder);
    if (known !== undefined) return new State(folder, known);
    const id = randomBytes(6).toString('hex');
    await writeWhole(join(folder, 'id'), `${id}\n`, true);
    return new State(folder, id);
  }

  /** Whether this state is what its folder holds: not when its share went away. */
  async isThere(): Promise<'same' | 'other' | 'gone'> {
    const id = await readId(this.folder);
    return id === undefined ? 'gone' : id === this.id ? 'same' : 'other';
  }

  /** Where originals are put while it is checked that they are what was upscaled. */
  get taken(): string {
    return join(this.folder, 'taken');
  }

  async enqueue(record: JobRecord): Promise<void> {
    await writeWhole(this.#job('queue', record.key), json(record), false);
  }

  /**
   * Claims a queued job by a rename, which one claimant alone can win.
   *
   * @returns its record, without what an earlier try was about to publish; undefined when it is gone
   */
  async claim(key: string): Promise<JobRecord | undefined> {
    const path = this.#job('work', key);
    await rename(this.#job('queue', key), path).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error; // else ours already, or gone
    });
    const record = await readJson<JobRecord>(path);
    if (!record?.published) return record;
    const { published: _, ...fresh } = record;
    await writeWhole(path, json(fresh), true);
    return fresh;
  }

  /** Puts a claimed job back into the queue, as `record` says. */
  async requeue(record: JobRecord): Promise<void> {
    const path = this.#job('work', record.key);
    await writeWhole(path, json(record), false);
    await rename(path, this.#job('queue', record.key));
  }

  /** Records what a claimed job is about to publish, lastingly. */
  async intend(record: JobRecord): Promise<void> {
    await writeWhole(this.#job('work', record.key), json(record), true);
  }

  /** Records, lastingly, that a claimed job is done. */
  async finish(key: string): Promise<void> {
    const path = await this.#shard('done', key);
    await rename(this.#job('work', key), path);
    await syncFolder(join(path, '..'));
  }

  /** Records as done what was found to be so. */
  async adopt(record: JobRecord): Promise<void> {
    await writeWhole(await this.#shard('done', record.key), json(record), true);
  }

  /** Forgets a claimed or queued job. */
  async abandon(key: string): Promise<void> {
    await rm(this.#job('work', key), { force: true });
    await rm(this.#job('queue', key), { force: true });
  }

  async done(key: string): Promise<JobRecord | undefined> {
    return readJson<JobRecord>(join(this.folder, 'done', key.slice(0, 2), `${key}.json`));
  }

  /** Forgets a result that was replaced. */
  async forgetDone(key: string): Promise<void> {
    await rm(join(this.folder, 'done', key.slice(0, 2), `${key}.json`), { force: true });
  }

  /** Jobs in the queue, oldest first, or those that were under way when the program ended. */
  async jobs(where: 'queue' | 'work'): Promise<readonly JobRecord[]> {
    const records: JobRecord[] = [];
    for (const name of await readdir(join(this.folder, where))) {
      if (!name.endsWith('.json')) {
        await rm(join(this.folder, where, name), { force: true });
        continue;
      }
      const record = await readJson<JobRecord>(join(this.folder, where, name));
      if (record) records.push(record);
      else await this.abandon(name.slice(0, -'.json'.length));
    }
    return records.sort((a, b) => (a.added < b.added ? -1 : 1));
  }

  async path(file: string): Promise<PathRecord | undefined> {
    const record = await readJson<PathRecord>(this.#path(file));
    return record?.file === file ? record : undefined;
  }

  async setPath(record: PathRecord): Promise<void> {
    await makeShard(join(this.#path(record.file), '..'));
    await writeWhole(this.#path(record.file), json(record), false);
  }

  async forgetPath(file: string): Promise<void> {
    await rm(this.#path(file), { force: true });
  }

  async addFailure(record: FailureRecord): Promise<void> {
    await writeWhole(this.#failure(record.id), json(record), false);
  }

  async failure(id: string): Promise<FailureRecord | undefined> {
    return /^[0-9a-z-]+$/.test(id) ? readJson<FailureRecord>(this.#failure(id)) : undefined;
  }

  async forgetFailure(id: string): Promise<void> {
    await rm(this.#failure(id), { force: true });
  }

  /** Ids of failures, the latest first. */
  async failures(): Promise<readonly string[]> {
    const names = await readdir(join(this.folder, 'failed'));
    const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
    return ids.sort().reverse();
  }

  /** A small note of the watcher's own. */
  async note<T>(name: string): Promise<T | undefined> {
    return readJson<T>(join(this.folder, `${name}.json`));
  }

  async setNote(name: string, value: unknown): Promise<void> {
    await writeWhole(join(this.folder, `${name}.json`), json(value), true);
  }

  #job(where: 'queue' | 'work', key: string): string {
    return join(this.folder, where, `${key}.json`);
  }

  async #shard(where: 'done', key: string): Promise<string> {
    const folder = join(this.folder, where, key.slice(0, 2));
    await makeShard(folder);
    return join(folder, `${key}.json`);
  }

  #path(file: string): string {
    const hash = createHash('sha256').update(file).digest('hex').slice(0, 40);
    return join(this.folder, 'paths', hash.slice(0, 2), `${hash}.json`);
  }

  #failure(id: string): string {
    return join(this.folder, 'failed', `${id}.json`);
  }
}

/** A name for a failure; later ones sort behind. */
export function failureId(now: number): string {
  return `${now.toString(36).padStart(9, '0')}-${randomBytes(4).toString('hex')}`;
}

/** Makes a folder in the state, but not the state: where that is gone, so is a share. */
async function makeShard(folder: string): Promise<void> {
  await mkdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
}

async function readId(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'id'), 'utf8').catch(() => undefined);
  return text && /^[0-9a-f]{12}\n$/.test(text) ? text.trim() : undefined;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined; // empty or torn by a power cut: as if it had not been written
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
