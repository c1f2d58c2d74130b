/** @file The watcher in this process or in one of its own, with a stand-in for its model; and what it made. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Rule, WatchSettings } from '../../src/watch/rule.ts';
import { watch } from '../../src/watch/watch.ts';
import { temporaryFolder } from './folder.ts';
import { standInWorker } from './stand-in.ts';

/** Folders for one watcher. */
export interface WatchFolders {
  readonly in: string;
  readonly out: string;
  readonly failed: string;
  readonly root: string;
}

/** Empty folders for a watcher. */
export function watchFolders(t: ExecutionContext): WatchFolders {
  const root = temporaryFolder(t);
  const folders = {
    root,
    in: join(root, 'in'),
    out: join(root, 'out'),
    failed: join(root, 'failed'),
  };
  mkdirSync(folders.in);
  return folders;
}

/** A rule that upscales by 2. */
export function ruleFor(folders: WatchFolders, rule: Partial<Rule> = {}): Rule {
  const { in: input, out, failed } = folders;
  const model = { model: 'compact' };
  return {
    in: input,
    out,
    failed,
    originals: { kind: 'keep' },
    model,
    upscale: { scale: 2 },
    ...rule,
  };
}

/** Times that make a test quick. */
export const quick = { rest: 60, patience: 600, sweep: 400, retryAfter: 50 } as const;

/** A watcher that runs in this process. */
export interface Running {
  /** Lines of its log. */
  readonly log: readonly Record<string, unknown>[];
  /** Stops it and resolves when it has stopped. */
  stop(): Promise<void>;
  /** Rejects with what it ended with, when it ends by itself. */
  readonly ended: Promise<void>;
}

/** Start a watcher; it stops when the test ends. */
export function startWatching(
  t: ExecutionContext,
  rules: readonly Rule[],
  settings: Partial<WatchSettings> = {},
): Running {
  const log: Record<string, unknown>[] = [];
  const end = new AbortController();
  const stateRoot = join(temporaryFolder(t), 'state');
  const logger = pino(
    { level: 'debug', base: null },
    {
      write: (line: string) => {
        log.push(JSON.parse(line) as Record<string, unknown>);
        if (process.env['WATCH_DEBUG']) process.stderr.write(line);
      },
    },
  );
  const ended = watch(
    { rules, stateRoot, workerFile: standInWorker, ...quick, ...settings },
    { log: logger, signal: end.signal },
  );
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => {
    end.abort();
    await ended.catch(() => undefined);
  };
  t.teardown(stop);
  return { log, stop, ended };
}

/** Wait until something holds; fails the test with `what` after a while. */
export async function until(
  t: ExecutionContext,
  what: string,
  holds: () => boolean | Promise<boolean>,
  most = 90_000,
): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > most) {
      t.fail(`${what}: not within ${most / 1000} s`);
      throw new Error(what);
    }
    await sleep(20);
  }
}

/** Files below a folder, hidden ones too, by their paths with `/`; they may come and go meanwhile. */
export function filesBelow(folder: string): string[] {
  for (;;) {
    try {
      if (!existsSync(folder)) return [];
      return readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
        .map((name) => name.replaceAll('\\', '/'))
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Results below a folder: no sidecars, nothing hidden. */
export function resultsBelow(folder: string): string[] {
  return filesBelow(folder).filter((name) => !name.endsWith('.json') && !/(^|\/)\./.test(name));
}

/** Wait until a folder has these results and nothing unfinished. */
export async function untilResults(
  t: ExecutionContext,
  folder: string,
  names: readonly string[],
  most?: number,
): Promise<void> {
  const wanted = names.flatMap((name) => [name, `${name}.json`]).sort();
  const same = (): boolean => filesBelow(folder).join('\n') === wanted.join('\n');
  try {
    await until(t, `results ${names.join(', ')}`, same, most);
  } finally {
    t.deepEqual(filesBelow(folder), wanted);
  }
}

/** The sidecar of a result. */
export function sidecar(folder: string, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Record<string, unknown>;
}

/** Inputs that are left, state aside. */
export function inputsBelow(folder: string): string[] {
  return filesBelow(folder).filter((name) => !name.startsWith('.osediff/'));
}

const program = fileURLToPath(new URL('watch-child.ts', import.meta.url));

/** Start the program `osediff watch` with the stand-in, in a process of its own. */
export function startWatchProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=osediff-source'];
  return spawn(process.execPath, [...flags, program, 'watch', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
