/** @file Remembers what an interrupted batch has finished, so that the same command goes on from there. */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Job } from './outputs.ts';

/** The journal of one batch. */
export interface Journal {
  /** Whether an earlier run of this batch finished this job, and nothing has changed since. */
  isFinished(job: Job): Promise<boolean>;
  /** Notes that a job is about to write its result. */
  begin(job: Job): Promise<void>;
  /** The batch is complete: nothing is left to remember. */
  complete(): Promise<void>;
}

interface Note {
  readonly input: string;
  readonly output: string;
  /** Which file the input was. */
  readonly from: string | null;
  /** Which file had the output's name before; null for none. */
  readonly before: string | null;
}

/** Journals of batches that nobody went on with are dropped after this many milliseconds. */
const longest = 30 * 24 * 60 * 60 * 1000;

/**
 * The journal of the batch that `key` describes: its inputs, its options, its folder.
 *
 * A result appears whole or not at all, so a job is finished when the file that has its name is
 * another than before the job began. Where the folder cannot be written nothing is remembered.
 *
 * @param folder where journals are kept
 */
export async function openJournal(folder: string, key: unknown): Promise<Journal> {
  const name = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 24);
  const file = join(folder, `${name}.jsonl`);
  const notes = new Map<string, Note>();
  for (const line of (await readFile(file, 'utf8').catch(() => '')).split('\n')) {
    const note = parse(line);
    if (note) notes.set(note.output, note);
  }
  await dropOld(folder);
  return {
    async isFinished({ input, output }) {
      const note = notes.get(resolve(output));
      if (!note || note.input !== resolve(input)) return false;
      const now = await identity(output);
      return now !== null && now !== note.before && note.from === (await identity(input));
    },
    async begin({ input, output }) {
      const note: Note = {
        input: resolve(input),
        output: resolve(output),
        from: await identity(input),
        before: await identity(output),
      };
      try {
        await mkdir(folder, { recursive: true });
        await appendFile(file, `${JSON.stringify(note)}\n`);
      } catch {
        // A batch that cannot be remembered is upscaled all the same.
      }
    },
    async complete() {
      await rm(file, { force: true }).catch(() => undefined);
    },
  };
}

/** The last line may have been cut off. */
function parse(line: string): Note | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as Note);
  } catch {
    return undefined;
  }
}

/** Tells a file from one that took its place. */
async function identity(file: string): Promise<string | null> {
  const status = await stat(file, { bigint: true }).catch(() => undefined);
  return status ? `${status.ino}:${status.size}:${status.mtimeNs}` : null;
}

async function dropOld(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    const time = (await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now();
    if (Date.now() - time > longest) await rm(file, { force: true }).catch(() => undefined);
  }
}
