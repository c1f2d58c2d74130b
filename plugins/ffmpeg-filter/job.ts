/** @file The work folder of a film: which segments are done, safely on disk, and for which settings. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { FormatError, UsageError } from 'osediff';
import { readNut } from './nut-read.ts';
import type { NutFrame, NutStream } from './nut.ts';

/** A finished segment. */
export interface Segment {
  readonly frames: number;
  /** Times of its frames in the order they are shown, in ticks. */
  readonly firstPts: number;
  readonly lastPts: number;
  /** SHA-256 of its last frame before upscaling: where a resumed film goes on is proved by it. */
  readonly lastFrame: string;
}

/** What makes two runs the same work; compared as JSON. */
export type Settings = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Job {
  readonly folder: string;
  /** Finished segments, in order. */
  readonly done: readonly Segment[];
  /** Where the next segment is written, until it is finished. */
  partFile(index: number): string;
  /** Keep a segment: on disk for good when this resolves. */
  keep(index: number, segment: Segment): Promise<void>;
  segmentFile(index: number): string;
  /** Bytes of all finished segments. */
  bytes(): Promise<number>;
  remove(): Promise<void>;
}

/** What is to happen to work that is already there. */
export type Existing = 'resume' | 'discard' | 'refuse';

/**
 * Open the work folder beside a result, `.<name>.osediff`.
 *
 * @throws UsageError when there is unfinished work and `existing` does not say what to do, or it was
 *   begun with other settings
 */
export async function openJob(
  output: string,
  settings: Settings,
  existing: Existing,
): Promise<Job> {
  const folder = path.join(path.dirname(output), `.${path.basename(output)}.osediff`);
  const file = (index: number, ending: string): string =>
    path.join(folder, `${String(index).padStart(6, '0')}.${ending}`);
  const settingsFile = path.join(folder, 'job.json');
  const text = JSON.stringify(settings, undefined, 1);
  const before = await readText(settingsFile);
  if (existing === 'discard') await rm(folder, { recursive: true, force: true });
  else if (before !== undefined && existing === 'refuse') {
    throw new UsageError(
      `${output}: expected no unfinished work, got some from an earlier run. Give --resume to go on with it or --overwrite to begin anew.`,
    );
  } else if (before !== undefined && before !== text) {
    const names = differences(before, settings).join(', ');
    throw new UsageError(
      `${output}: expected the settings that the work was begun with, got another ${names}. Give the same, or --overwrite to begin anew.`,
    );
  }
  await mkdir(folder, { recursive: true });
  const done = await finished(file);
  await removeOthers(folder, done.length);
  await writeSafely(settingsFile, text);
  return {
    folder,
    done,
    partFile: (index) => file(index, 'part'),
    segmentFile: (index) => file(index, 'nut'),
    async keep(index, segment) {
      await sync(file(index, 'part'));
      await rename(file(index, 'part'), file(index, 'nut'));
      // The note comes last: a segment without it counts as unfinished.
      await writeSafely(file(index, 'json'), JSON.stringify(segment));
      done.push(segment);
    },
    async bytes() {
      const sizes = await Promise.all(done.map(async (_, i) => (await stat(file(i, 'nut'))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The segments from the first on that are whole. */
async function finished(file: (index: number, ending: string) => string): Promise<Segment[]> {
  const done: Segment[] = [];
  for (;;) {
    const text = await readText(file(done.length, 'json'));
    if (text === undefined) return done;
    try {
      const segment = JSON.parse(text) as Segment;
      const { frames } = await readNut(createReadStream(file(done.length, 'nut')));
      let count = 0;
      for await (const _ of frames) count++;
      if (count !== segment.frames) return done;
      done.push(segment);
    } catch {
      return done; // damaged: it is computed again
    }
  }
}

async function removeOthers(folder: string, done: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const index = /^(\d{6})\.(nut|json)$/.exec(name)?.[1];
    const keep = name === 'job.json' || (index !== undefined && Number(index) < done);
    if (!keep) await rm(path.join(folder, name), { force: true });
  }
}

function differences(before: string, now: Settings): string[] {
  try {
    const old = JSON.parse(before) as Settings;
    const names = new Set([...Object.keys(old), ...Object.keys(now)]);
    return [...names].filter((name) => old[name] !== now[name]);
  } catch {
    return ['job.json (damaged)'];
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync();
  await handle.close();
}

async function writeSafely(file: string, text: string): Promise<void> {
  const part = `${file}.part`;
  const handle = await open(part, 'w');
  await handle.writeFile(text);
  await handle.sync();
  await handle.close();
  await rename(part, file);
  const folder = await open(path.dirname(file), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined); // the names, where the platform can
  await folder?.close();
}

/** What makes a file the same one: its name, size and time. */
export async function fingerprint(file: string): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  return `${path.resolve(file)} ${size} ${mtimeMs}`;
}

/** SHA-256 of a frame. */
export function frameHash(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** All segments as one stream. @throws FormatError when they do not belong together */
export async function joined(
  job: Job,
): Promise<{ stream: NutStream; frames: AsyncGenerator<NutFrame> }> {
  const first = await readNut(createReadStream(job.segmentFile(0)));
  async function* frames(): AsyncGenerator<NutFrame> {
    yield* first.frames;
    for (let index = 1; index < job.done.length; index++) {
      const file = job.segmentFile(index);
      const next = await readNut(createReadStream(file));
      const [a, b] = [first.stream, next.stream];
      if (
        !Buffer.from(a.extradata).equals(b.extradata) ||
        String(a.timeBase) !== String(b.timeBase)
      ) {
        throw new FormatError(
          `${file}: expected a segment coded as the first, got another. Begin anew with --overwrite.`,
        );
      }
      yield* next.frames;
    }
  }
  return { stream: first.stream, frames: frames() };
}
