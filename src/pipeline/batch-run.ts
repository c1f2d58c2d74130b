/** @file Works through checked pictures: one is read and one is written while another is upscaled. */
import { UsageError } from '../tensor/errors.ts';
import type { PlannedPicture } from './picture-check.ts';
import {
  isLarge,
  type JobOptions,
  readJob,
  runLargeJob,
  upscaleJob,
  writeJob,
} from './picture-job.ts';
import type { Size } from './size.ts';
import type { Progress, Upscaler } from './types.ts';

/** What the run is told, and tells. Pictures are named by their place. */
export interface RunOptions {
  readonly load: () => Promise<Upscaler>;
  readonly common: JobOptions;
  /** The prompt of a picture, where each has its own. */
  readonly promptOf?: (picture: PlannedPicture) => string;
  /** Before a result is written. */
  readonly begin: (picture: PlannedPicture) => Promise<void>;
  /** After a result was written, before it counts as done. */
  readonly after?: (picture: PlannedPicture) => Promise<void>;
  readonly onProgress: (index: number, progress: Progress) => void;
  readonly onDone: (index: number, size: Size, seconds: number) => void;
  readonly onFailed: (index: number, error: unknown) => void;
  readonly signal?: AbortSignal;
}

/**
 * Upscale all pictures, in their order; those that fail are told of.
 *
 * @throws what `load` throws; UsageError of the upscaler; the signal's reason
 */
export async function runPictures(
  pictures: readonly PlannedPicture[],
  options: RunOptions,
): Promise<void> {
  const { common, begin, after, onDone, onFailed, signal } = options;
  const loading = options.load();
  loading.catch(() => undefined); // thrown where it is awaited, after the first picture was read
  const reads = readAhead(pictures, common);
  let writing: Promise<void> = Promise.resolve();

  const settle = (index: number, error: unknown): void => {
    signal?.throwIfAborted();
    if (error instanceof LoadFailure) throw error.cause;
    if (error instanceof UsageError) throw error;
    onFailed(index, error);
  };
  const upscaleOne = async (index: number, picture: PlannedPicture): Promise<void> => {
    const start = performance.now();
    const done = (size: Size): void => onDone(index, size, (performance.now() - start) / 1000);
    const onProgress = (progress: Progress): void => {
      if (!signal?.aborted) options.onProgress(index, progress);
    };
    const job = {
      ...common,
      upscale: {
        ...common.upscale,
        ...(options.promptOf && { prompt: options.promptOf(picture) }),
        onProgress,
        ...(signal && { signal }),
      },
    };
    const large = isLarge(picture, common);
    const file = large ? undefined : await reads.take(index);
    const upscaler = await loaded(loading);
    signal?.throwIfAborted();
    if (large && upscaler.upscaleRaw) {
      await writing;
      await begin(picture);
      const size = await runLargeJob(picture, upscaler, job);
      await after?.(picture);
      done(size);
      return;
    }
    reads.start(index + 1);
    const result = await upscaleJob(file ?? (await reads.take(index)), upscaler, job.upscale);
    await writing;
    await begin(picture);
    writing = writeJob(picture, result, job)
      .then(() => after?.(picture))
      .then(() => done(result.frames[0]!))
      .catch((error: unknown) => settle(index, error));
    writing.catch(() => undefined); // thrown where it is awaited
  };

  try {
    for (const [index, picture] of pictures.entries()) {
      try {
        await upscaleOne(index, picture);
      } catch (error) {
        await writing; // results are told of in their order
        settle(index, error);
      }
    }
    await writing;
  } finally {
    await writing.catch(() => undefined);
    // Also after an abort: a thread must not be ended while it is in native code.
    await loading.then((upscaler) => upscaler.dispose()).catch(() => undefined);
  }
}

type Read = ReturnType<typeof readJob>;

/** Reads pictures that fit into memory before they are needed, one at a time. */
function readAhead(
  pictures: readonly PlannedPicture[],
  common: JobOptions,
): { start(index: number): void; take(index: number): Read } {
  let ahead: { readonly index: number; readonly file: Read } | undefined;
  const read = (index: number): Read => {
    const file = readJob(pictures[index]!, common);
    file.catch(() => undefined); // thrown where it is awaited
    return file;
  };
  return {
    start(index) {
      const picture = pictures[index];
      if (picture && !isLarge(picture, common)) ahead = { index, file: read(index) };
    },
    take(index) {
      const file = ahead?.index === index ? ahead.file : read(index);
      ahead = undefined;
      return file;
    },
  };
}

/** Tells a model that does not load, which ends the batch, from a picture that fails. */
class LoadFailure extends Error {}

async function loaded(loading: Promise<Upscaler>): Promise<Upscaler> {
  try {
    return await loading;
  } catch (error) {
    throw new LoadFailure('the model did not load', { cause: error });
  }
}
