/** @file Upscales files: checks all of them, loads the model once, and lets no bad one stop the rest. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { probePicture, readPicture, writePicture } from '../image/codec.ts';
import { checkFormat } from '../image/formats.ts';
import { explainPathError } from '../image/path-errors.ts';
import { UsageError } from '../tensor/errors.ts';
import { planOutputs, type Job } from './outputs.ts';
import type { Progress, UpscaleOptions, Upscaler } from './types.ts';

/** A picture that passed its checks and will be upscaled. */
export interface PlannedPicture extends Job {
  readonly width: number;
  readonly height: number;
}

/** A result on disk. */
export interface PictureResult extends Job {
  readonly width: number;
  readonly height: number;
  /** From reading the input to the finished file, in seconds. */
  readonly seconds: number;
}

/** What a caller may want to show while the batch runs. */
export interface BatchListener {
  /** All checks are done; the model loads next, unless nothing is left to do. */
  onPlanned?(pictures: readonly PlannedPicture[]): void;
  /** @param index place in the pictures of `onPlanned` */
  onProgress?(index: number, progress: Progress): void;
  onDone?(index: number, result: PictureResult): void;
  /** An input that was refused or failed; the others go on. */
  onFailed?(input: string, error: unknown): void;
}

export interface BatchOptions {
  /** Where results go: see `planOutputs`. */
  readonly out?: string;
  readonly overwrite?: boolean;
  /** Loads the model: called once, when at least one picture passed its checks. */
  readonly load: () => Promise<Upscaler>;
  /** How each picture is upscaled. */
  readonly upscale?: Omit<UpscaleOptions, 'onProgress' | 'signal'>;
  readonly listener?: BatchListener;
  readonly signal?: AbortSignal;
}

/** How many headers are read at a time while inputs are checked. */
const probes = 8;

/**
 * Upscale files and folders of pictures to files.
 *
 * The model loads while the first picture is read. Each result appears whole or not at all. An abort
 * is heeded when the upscaler heeds it (after the tile that is being computed) and between pictures.
 *
 * @returns how many results were written and how many inputs failed
 * @throws UsageError and PathError as `planOutputs` does; UsageError of the upscaler (an option that
 *   no picture can be upscaled with); what `load` throws; the signal's reason
 */
export async function upscaleFiles(
  inputs: readonly string[],
  options: BatchOptions,
): Promise<{ done: number; failed: number }> {
  const { load, upscale = {}, overwrite = false, listener = {}, signal } = options;
  const { scale = 4 } = upscale;
  let failed = 0;
  const fail = (input: string, error: unknown): void => {
    failed++;
    listener.onFailed?.(input, explainPathError(error, input));
  };

  const where =
    options.out === undefined ? { scale, overwrite } : { out: options.out, scale, overwrite };
  const { jobs, refused } = await planOutputs(inputs, where);
  for (const { input, error } of refused) fail(input, error);
  const pictures = await checkPictures(jobs, scale, fail, signal);
  listener.onPlanned?.(pictures);
  if (pictures.length === 0) return { done: 0, failed };

  const loading = load();
  loading.catch(() => undefined); // thrown where it is awaited, after the first picture was read
  const upscaleOne = async (index: number, { input, output }: Job): Promise<PictureResult> => {
    const start = performance.now();
    const onProgress = (progress: Progress): void => {
      if (!signal?.aborted) listener.onProgress?.(index, progress);
    };
    const picture = await readPicture(input);
    const upscaler = await loaded(loading);
    signal?.throwIfAborted();
    const call = { ...upscale, onProgress, ...(signal && { signal }) };
    const result = await upscaler.upscale(picture, call);
    await createFolder(dirname(output));
    await writePicture(result, output, { overwrite });
    const seconds = (performance.now() - start) / 1000;
    return { input, output, width: result.width, height: result.height, seconds };
  };

  let done = 0;
  try {
    for (const [index, picture] of pictures.entries()) {
      try {
        const result = await upscaleOne(index, picture);
        done++;
        listener.onDone?.(index, result);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof LoadFailure) throw error.cause;
        if (error instanceof UsageError) throw error;
        fail(picture.input, error);
      }
    }
  } finally {
    // Also after an abort: a thread must not be ended while it is in native code.
    await loading.then((upscaler) => upscaler.dispose()).catch(() => undefined);
  }
  return { done, failed };
}

/** Read the headers of all inputs, in their order; what is no picture, or grows too large, fails. */
async function checkPictures(
  jobs: readonly Job[],
  scale: number,
  fail: (input: string, error: unknown) => void,
  signal?: AbortSignal,
): Promise<PlannedPicture[]> {
  const pictures: PlannedPicture[] = [];
  for (let i = 0; i < jobs.length; i += probes) {
    signal?.throwIfAborted();
    const some = jobs.slice(i, i + probes);
    const headers = await Promise.allSettled(some.map((job) => checkPicture(job, scale)));
    for (const [k, header] of headers.entries()) {
      if (header.status === 'rejected') fail(some[k]!.input, header.reason);
      else pictures.push(header.value);
    }
  }
  return pictures;
}

async function checkPicture(job: Job, scale: number): Promise<PlannedPicture> {
  const { width, height } = await probePicture(job.input);
  checkFormat(job.output, Math.round(width * scale), Math.round(height * scale));
  return { ...job, width, height };
}

async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw explainPathError(error, folder);
  }
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
