/** @file Upscales files: checks all of them, loads the model once, and lets no bad one stop the rest. */
import { dirname, join, parse, resolve } from 'node:path';
import type { Format } from '../image/formats.ts';
import { explainPathError } from '../image/path-errors.ts';
import { UsageError } from '../tensor/errors.ts';
import { standardStream } from './standard-stream.ts';
import { openJournal } from './journal.ts';
import { type Job, planOutputs } from './outputs.ts';
import { checkPicture, type PlannedPicture } from './picture-check.ts';
import { cleanFolders, type Streams } from './picture-job.ts';
import { runPictures } from './batch-run.ts';
import { captioned, readSidecar } from './sidecar.ts';
import { sizeLabel } from './size.ts';
import type { Progress, UpscaleOptions, Upscaler } from './types.ts';
import type { WriteRules } from './write-rules.ts';

/** A result on disk. */
export interface PictureResult extends Job {
  readonly width: number;
  readonly height: number;
  /** From reading the input to the finished file, in seconds. */
  readonly seconds: number;
}

/** What a caller may want to show while the batch runs. */
export interface BatchListener {
  /** A result that exists already and stays: see `existing` and `journals`. */
  onSkipped?(job: Job): void;
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
  /** Leave results that exist, and their inputs. @default false */
  readonly skipExisting?: boolean;
  /** Names of results: see `resultName`. */
  readonly name?: string;
  /** What the model is called in names. */
  readonly model?: string;
  /** Format of the results. @default each input's */
  readonly format?: Format;
  readonly rules?: WriteRules;
  /** Loads the model: called once, when at least one picture passed its checks. */
  readonly load: () => Promise<Upscaler>;
  /** How each picture is upscaled. */
  readonly upscale?: Omit<UpscaleOptions, 'onProgress' | 'signal'>;
  /** Beside each result a page and a crop that compare it with its input. @default false */
  readonly compare?: boolean;
  /** Read the caption beside each picture: it stands before the prompt. @default false */
  readonly captions?: boolean;
  /** Stop when all is checked. @default false */
  readonly dryRun?: boolean;
  /** Where batches are remembered, to be continued by the same call; nowhere by default. */
  readonly journals?: string;
  /** What else makes this batch another than one of the same inputs: the model's options. */
  readonly identity?: unknown;
  /** Where `-` leads; without it there are no such inputs and outputs. */
  readonly streams?: Streams;
  readonly listener?: BatchListener;
  readonly signal?: AbortSignal;
}

/** How a batch ended. */
export interface BatchSummary {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
}

/** How many headers are read at a time while inputs are checked. */
const probes = 8;

/**
 * Upscale files and folders of pictures to files.
 *
 * The model loads while the first picture is read; from then on one picture is read and one is
 * written while another is upscaled. Each result appears whole or not at all. An abort is heeded
 * when the upscaler heeds it (after the tile that is being computed) and between pictures.
 *
 * @returns how many results were written, how many inputs failed, and how many were done already
 * @throws UsageError and PathError as `planOutputs` does; UsageError of the upscaler (an option that
 *   no picture can be upscaled with); what `load` throws; the signal's reason
 */
export async function upscaleFiles(
  inputs: readonly string[],
  options: BatchOptions,
): Promise<BatchSummary> {
  const { load, upscale = {}, overwrite = false, listener = {}, signal, rules = {} } = options;
  const counts = { done: 0, failed: 0, skipped: 0 };
  const fail = (input: string, error: unknown): void => {
    counts.failed++;
    listener.onFailed?.(input, explainPathError(error, input));
  };
  const journal =
    options.journals === undefined
      ? undefined
      : await openJournal(options.journals, keyOf(inputs, options));

  const { jobs, skipped, refused } = await planOutputs(inputs, {
    size: sizeLabel(upscale),
    existing: overwrite ? 'overwrite' : options.skipExisting ? 'skip' : 'refuse',
    ...(options.out !== undefined && { out: options.out }),
    ...(options.name !== undefined && { name: options.name }),
    ...(options.model !== undefined && { model: options.model }),
    ...(options.format !== undefined && { format: options.format }),
    ...(journal && { isFinished: (job: Job) => journal.isFinished(job) }),
  });
  for (const { input, error } of refused) fail(input, error);
  counts.skipped = skipped.length;
  for (const job of skipped) listener.onSkipped?.(job);
  const streamed = jobs.some(({ input }) => input === standardStream)
    ? await readStream(options.streams)
    : undefined;
  const source = ({ input }: Job): string | Uint8Array =>
    input === standardStream ? streamed! : input;
  const captions = new Map<string, string>();
  const pictures = await checkPictures(jobs, fail, signal, async (job) => {
    if (options.captions) captions.set(job.input, await captionOf(job));
    return checkPicture(job, source(job), upscale, {
      ...rules,
      ...(options.format !== undefined && { format: options.format }),
    });
  });
  listener.onPlanned?.(pictures);
  if (options.dryRun) return counts;
  await cleanFolders([...pictures, ...skipped]);
  if (pictures.length === 0) {
    if (counts.failed === 0) await journal?.complete();
    return counts;
  }

  const write = (bytes: Uint8Array): Promise<void> => options.streams!.write(bytes);
  await runPictures(pictures, {
    load,
    common: { rules, overwrite, source, write, upscale },
    ...(options.captions && {
      promptOf: ({ input }: Job) => captioned(captions.get(input)!, upscale.prompt ?? ''),
    }),
    begin: async (picture) => journal?.begin(picture),
    ...(options.compare && { after: compareFiles }),
    onProgress: (index, progress) => listener.onProgress?.(index, progress),
    onDone: (index, size, seconds) => {
      counts.done++;
      const { input, output } = pictures[index]!;
      const { width, height } = size;
      listener.onDone?.(index, { input, output, width, height, seconds });
    },
    onFailed: (index, error) => fail(pictures[index]!.input, error),
    ...(signal && { signal }),
  });
  if (counts.failed === 0) await journal?.complete();
  return counts;
}

/** Writes `<result>-compare.html` and `.png`, replacing those of an earlier result. */
async function compareFiles({
  input,
  output,
  width,
  height,
  result,
}: PlannedPicture): Promise<void> {
  if (input === standardStream || output === standardStream) return;
  const { writeCompareCrop, writeComparePage } = await import('./compare-page.ts');
  const stem = join(dirname(output), `${parse(output).name}-compare`);
  const note = `${width}x${height} to ${result.width}x${result.height}`;
  const page = { before: input, after: output, note, overwrite: true };
  await writeComparePage(`${stem}.html`, page);
  await writeCompareCrop(`${stem}.png`, page);
}

/** What makes a call the same batch as another. */
function keyOf(inputs: readonly string[], options: BatchOptions): unknown {
  const { out, overwrite, name, model, format, rules, upscale, captions, identity } = options;
  const paths = [...inputs, out ?? ''].map((path) => resolve(path));
  return { paths, overwrite, name, model, format, rules, upscale, captions, identity };
}

async function captionOf({ input }: Job): Promise<string> {
  if (input !== standardStream) return readSidecar(input);
  throw new UsageError('-: expected files for captions beside them, got standard input.');
}

async function readStream(streams: Streams | undefined): Promise<Uint8Array> {
  if (!streams) throw new UsageError('-: expected files, got standard input.');
  return streams.read();
}

/** Read the headers of all inputs, in their order; what is no picture, or grows too large, fails. */
async function checkPictures(
  jobs: readonly Job[],
  fail: (input: string, error: unknown) => void,
  signal: AbortSignal | undefined,
  check: (job: Job) => Promise<PlannedPicture>,
): Promise<PlannedPicture[]> {
  const pictures: PlannedPicture[] = [];
  for (let i = 0; i < jobs.length; i += probes) {
    signal?.throwIfAborted();
    const some = jobs.slice(i, i + probes);
    const headers = await Promise.allSettled(some.map((job) => check(job)));
    for (const [k, header] of headers.entries()) {
      if (header.status === 'rejected') fail(some[k]!.input, header.reason);
      else pictures.push(header.value);
    }
  }
  return pictures;
}
