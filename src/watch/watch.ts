/** @file The hot folder: everything that watches, upscales, serves and tells, from start to stop. */
import { totalmem } from 'node:os';
import type { Logger } from 'pino';
import { hashModel } from '../pipeline/model-hash.ts';
import type { Context, DoneEvent, FailedEvent, IdentifiedRule, WatchListener } from './context.ts';
import type { Executor } from './executor.ts';
import { Folder } from './folder.ts';
import { History } from './history.ts';
import { Hook } from './hooks.ts';
import { localExecutor } from './local-executor.ts';
import { createNotifier } from './notify.ts';
import { findPlaces } from './places.ts';
import type { FullSettings, Rule, WatchSettings } from './rule.ts';
import { Turns } from './turns.ts';
import { WorkerProcess, type FailureClass, type WorkerOptions } from './worker-process.ts';

/** What the watcher's surroundings give it. */
export interface WatchHost {
  readonly log: Logger;
  /** Aborting it stops the watcher: what is under way goes back into the queue. */
  readonly signal: AbortSignal;
}

/** An idle process that checks files ends soon, one that holds a model later. In ms. */
const idle = { checker: 30_000, upscaler: 10 * 60_000 } as const;
/** A watcher whose folders have not been swept for so long is stuck, in ms. */
const stuck = 10 * 60_000;

/**
 * Watches folders until the signal aborts.
 *
 * @throws OsediffError when a folder, a model or the HTTP address cannot be used
 */
export async function watch(given: WatchSettings, host: WatchHost): Promise<void> {
  const { log } = host;
  const end = new AbortController(); // for a start that fails half-way
  const signal = AbortSignal.any([host.signal, end.signal]);
  const settings = withDefaults(given);
  const rules = await identify(settings.rules);
  const { stateRoot, stateApart } = settings;
  const places = await findPlaces(settings.rules, { stateRoot, stateApart });

  const listeners: WatchListener[] = [];
  const deaths: ((kind: FailureClass) => void)[] = [];
  const worker = (name: string, idleTime: number): WorkerOptions => ({
    ...(settings.workerFile !== undefined && { file: settings.workerFile }),
    memory: settings.memory,
    idle: idleTime,
    onDeath: (kind, reason) => {
      log.error(
        {
          process: name,
          class: kind,
          reason,
        },
        'worker process died',
      );
      for (const onDeath of deaths) onDeath(kind);
    },
  });
  const checker = new WorkerProcess(worker('checker', idle.checker));
  const executor: Executor = localExecutor(worker('upscaler', idle.upscaler), settings.timeLimit);

  let turns: Turns | undefined;
  const context: Context = {
    settings,
    log,
    checker,
    signal,
    listener: {
      onDone: (event) => listeners.forEach((listener) => listener.onDone(event)),
      onFailed: (event) => listeners.forEach((listener) => listener.onFailed(event)),
      onFailure: (kind) => listeners.forEach((listener) => listener.onFailure(kind)),
    },
    wake: () => turns?.wake(),
  };
  const folders = rules.map((rule, i) => new Folder(context, rule, places[i]!, executor));
  const notifier = createNotifier(() =>
    folders.every(({ sweptAt }) => sweptAt === 0 || Date.now() - sweptAt < stuck),
  );
  const ends: (() => Promise<void>)[] = [];
  try {
    listeners.push(...hooks(settings, log, signal));
    if (settings.http) {
      const { createMetrics } = await import('./metrics.ts');
      const { serve } = await import('./http.ts');
      const history = new History();
      const metrics = createMetrics(folders);
      listeners.push(remember(history), metrics);
      deaths.push((kind) => metrics.onDeath(kind));
      const server = await serve({ folders, history, metrics }, settings.http);
      ends.push(server.close);
      log.info({ address: `http://${settings.http.host}:${server.port}/` }, 'serving');
    }
    for (const folder of folders) {
      await folder.start();
      ends.push(() => folder.close());
    }
    turns = new Turns(folders, executor.slots, signal);
    notifier.ready();
    await turns.run();
    log.info('stopping');
  } finally {
    end.abort();
    notifier.stopping();
    // Killing the processes ends what is under way; it goes back into the queue.
    await Promise.all([checker.close(), executor.end()]);
    await turns?.ended();
    await Promise.all(folders.map((folder) => folder.stopLooking()));
    for (const close of ends.reverse()) await close();
  }
  log.info('stopped');
}

function withDefaults(given: WatchSettings): FullSettings {
  return {
    stateApart: false,
    rest: 2000,
    patience: 30_000,
    sweep: 10_000,
    polling: false,
    tries: 3,
    retryAfter: 5000,
    timeLimit: 2 * 60 * 60_000,
    memory: (process.constrainedMemory?.() || totalmem()) * 0.75,
    ...given,
  };
}

/** Hashes each model once, however many rules it has. */
async function identify(rules: readonly Rule[]): Promise<readonly IdentifiedRule[]> {
  const hashes = new Map<string, ReturnType<typeof hashModel>>();
  const identified: IdentifiedRule[] = [];
  for (const rule of rules) {
    const { model, loras } = rule.model;
    const key = JSON.stringify([model, loras]);
    const hashing = hashes.get(key) ?? hashModel(rule.model);
    hashes.set(key, hashing);
    const hash = await hashing;
    identified.push({ rule, modelHash: hash.model, loraHashes: hash.loras });
  }
  return identified;
}

function hooks(
  { onDone, onFailed }: FullSettings,
  log: Logger,
  signal: AbortSignal,
): WatchListener[] {
  const done = onDone === undefined ? undefined : new Hook(onDone, log, signal);
  const failed = onFailed === undefined ? undefined : new Hook(onFailed, log, signal);
  const listener: WatchListener = {
    onDone({ in: folder, file, output, width, height, seconds, sha256 }: DoneEvent) {
      done?.tell({ event: 'done', folder, file, output, width, height, seconds, sha256 });
    },
    onFailed({ in: folder, file, moved, reason, class: kind }: FailedEvent) {
      failed?.tell({ event: 'failed', folder, file, moved, reason, class: kind });
    },
    onFailure: () => undefined,
  };
  return done || failed ? [listener] : [];
}

function remember(history: History): WatchListener {
  return {
    onDone: (event) => history.add(event),
    onFailed: () => history.failed++,
    onFailure: () => undefined,
  };
}
