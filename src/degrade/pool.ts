/** @file Samples made ahead by worker threads, in an order that does not depend on how many there are. */
import * as errors from '../tensor/errors.ts';
import { startThread } from '../tensor/thread.ts';
import { cachedReader } from './picture-cache.ts';
import { makeSample, pictureOf, type Sample, type SampleSpec } from './sample.ts';

/** How samples are made. */
export interface PoolOptions {
  /** Threads; 0 makes each sample in the caller's own when it is asked for. @default 1 */
  readonly workers?: number;
  /** How many samples are under way or waiting, at most. @default four a worker */
  readonly ahead?: number;
  /** The first sample's number: where a resumed run goes on. @default 0 */
  readonly start?: number;
  /** Bytes of decoded pictures that are kept, all threads together. @default 1 GiB */
  readonly cacheBytes?: number;
}

/** An endless series of samples. */
export interface SamplePool {
  /**
   * The next sample: number `start`, `start + 1` and so on, the same whatever the options.
   *
   * @throws what `makeSample` throws, and the series then goes on with the sample after; DeviceError
   *   when a thread died, and for good
   */
  next(): Promise<Sample>;
  /** Ends the threads; samples not yet asked for are lost. */
  close(): Promise<void>;
}

/** What a worker is started with. */
export interface WorkerSetup {
  readonly spec: SampleSpec;
  readonly cacheBytes: number;
}

interface FailedReply {
  readonly index: number;
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
}

/** What a worker answers to a sample's number. */
export type WorkerReply = FailedReply | { readonly index: number; readonly sample: Sample };

/**
 * Opens a series.
 *
 * @throws UsageError when there are no files
 */
export function openSamples(spec: SampleSpec, options: PoolOptions = {}): SamplePool {
  const { workers = 1, ahead = 4 * workers, start = 0, cacheBytes = 2 ** 30 } = options;
  if (spec.files.length === 0) {
    throw new errors.UsageError('samples: expected at least one picture, got none.');
  }
  if (workers === 0) return inThisThread(spec, start, cacheBytes);
  return inThreads(
    { spec, cacheBytes: cacheBytes / workers },
    workers,
    Math.max(ahead, workers),
    start,
  );
}

function inThisThread(spec: SampleSpec, start: number, cacheBytes: number): SamplePool {
  const read = cachedReader(cacheBytes);
  let index = start;
  return {
    next: () => makeSample(spec, index++, read),
    close: () => Promise.resolve(),
  };
}

interface Pending {
  readonly resolve: (sample: Sample) => void;
  readonly reject: (error: Error) => void;
}

function inThreads(setup: WorkerSetup, count: number, ahead: number, start: number): SamplePool {
  const threads = Array.from({ length: count }, () => ({
    worker: startThread('./sample-worker', import.meta.url, { workerData: setup }),
    pending: new Map<number, Pending>(),
  }));
  const made = new Map<number, Promise<Sample>>(); // or being made, and not yet taken
  let toAsk = start;
  let toGive = start;
  let awaited = 0;
  let broken: Error | undefined;

  const ask = (index: number): void => {
    // A picture always goes to the same thread: so each is kept by one only.
    const { spec } = setup;
    const picture = pictureOf(spec.seed, index, spec.files.length);
    const { worker, pending } = threads[picture % count]!;
    const sample = new Promise<Sample>((resolve, reject) => {
      pending.set(index, { resolve, reject });
    });
    sample.catch(() => undefined); // it fails for whoever takes it, not before
    made.set(index, sample);
    worker.postMessage(index);
  };
  const breakDown = (error: Error): void => {
    broken ??= error;
    for (const { pending } of threads) {
      for (const { reject } of pending.values()) reject(broken);
      pending.clear();
    }
  };

  for (const { worker, pending } of threads) {
    worker.unref();
    worker.on('message', (reply: WorkerReply) => {
      const waiting = pending.get(reply.index);
      pending.delete(reply.index);
      if ('sample' in reply) waiting?.resolve(reply.sample);
      else waiting?.reject(revive(reply.error));
    });
    worker.on('error', (cause: Error) =>
      breakDown(new errors.DeviceError(`samples: ${cause.message}`, { cause })),
    );
    worker.on('exit', () => breakDown(new errors.DeviceError('samples: a thread has ended.')));
  }
  return {
    async next() {
      if (broken) throw broken;
      const index = toGive++;
      for (; toAsk < index + ahead; toAsk++) ask(toAsk);
      const sample = made.get(index)!;
      made.delete(index);
      // Only somebody who waits keeps the process alive, not work done ahead.
      if (awaited++ === 0) for (const { worker } of threads) worker.ref();
      try {
        return await sample;
      } finally {
        if (--awaited === 0) for (const { worker } of threads) worker.unref();
      }
    },
    async close() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

/** The worker's error, as the class that was thrown there. */
function revive({ name, message, stack }: FailedReply['error']): Error {
  const known = errors as unknown as Record<string, new (message: string) => Error>;
  const error = Object.hasOwn(known, name) ? new known[name]!(message) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
