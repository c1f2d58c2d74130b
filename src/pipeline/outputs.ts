/** @file Decides, before the first picture, where each result goes and what is refused. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, extname, join, parse, resolve } from 'node:path';
import { extensionOf, type Format, formatOf } from '../image/formats.ts';
import { PathError, UsageError } from '../tensor/errors.ts';
import { findInputs, isPicturePath, type FoundInput, type Refusal } from './inputs.ts';
import { standardStream } from './standard-stream.ts';
import { resultName } from './result-name.ts';
import { explainPathError } from '../image/path-errors.ts';

/** One picture to upscale. */
export interface Job {
  readonly input: string;
  readonly output: string;
}

export interface OutputOptions {
  /** A file or a folder; without it results go beside their inputs. */
  readonly out?: string;
  /** What the size is called in names: `x4`. */
  readonly size: string;
  /** What the model is called in names. @default '' */
  readonly model?: string;
  /** Format of all results. @default each input's, or what a file's name says */
  readonly format?: Format;
  /** Names of results without their ending: see `resultName`. @default '{stem}' in a folder, '{stem}-{size}' beside the inputs */
  readonly name?: string;
  /** What becomes of a job whose result exists. @default 'refuse' */
  readonly existing?: 'refuse' | 'overwrite' | 'skip';
  /** Whether an earlier run of the same batch finished a job. */
  readonly isFinished?: (job: Job) => Promise<boolean>;
}

/** Pictures' endings that are not written here, so that no folder is made by such a name. */
const otherPictures = /\.(bmp|heic|heif|jxl|jp2|svg|psd|exr|hdr|ico|tga)$/i;

/**
 * Plan the results of a command line.
 *
 * With one file going in and `out` ending as a picture does (and no folder by that name), `out` is
 * the result; otherwise it is a folder and the result is `<out>/<path below IN>/<name>`. Without
 * `out` it is `<stem>-x<scale>.<ext>` beside the input; such results, found in a folder again, are
 * not upscaled a second time. `-` is the process's own stream.
 *
 * @returns the jobs, those that are done already, and the inputs that are refused: missing, without
 *   a picture's ending, or with a result that exists and may not be replaced or written
 * @throws UsageError when two inputs have one result or a result is itself an input; PathError when
 *   the output folder cannot be used
 */
export async function planOutputs(
  inputs: readonly string[],
  options: OutputOptions,
): Promise<{ jobs: Job[]; skipped: Job[]; refused: Refusal[] }> {
  const { out, existing = 'refuse', isFinished } = options;
  if (out === '') throw new UsageError('output: expected a file or folder, got an empty name.');
  const toFile = await isFileTarget(inputs, out);
  const inside = out !== undefined && !toFile && !inputs.some((path) => samePath(path, out));
  const { found, refused } = await findInputs(inputs, inside ? out : undefined);
  const planned: Job[] = [];
  const plans = found.map((input, i) => plan(input, i + 1, options, toFile));
  refuseSecondStream(plans.map(({ job }) => job));
  for (const { input, job } of out === undefined ? withoutResults(plans) : plans) {
    try {
      if (job.output !== standardStream) formatOf(job.output);
      planned.push(job);
    } catch (error) {
      refused.push({ input: input.path, error });
    }
  }
  const jobs = refuseCollisions(planned);
  await refuseInputsAsOutputs(jobs);
  if (out !== undefined && !toFile) await checkFolder(out);
  const accepted: Job[] = [];
  const skipped: Job[] = [];
  for (const job of jobs) {
    try {
      if (job.output === standardStream) accepted.push(job);
      else if (await isFinished?.(job)) skipped.push(job);
      else if (existing === 'skip' && (await kind(job.output)) === 'file') skipped.push(job);
      else {
        await checkOutput(job.output, existing === 'overwrite');
        accepted.push(job);
      }
    } catch (error) {
      refused.push({ input: job.input, error: explainPathError(error, job.output) });
    }
  }
  return { jobs: accepted, skipped, refused };
}

/** Whether `out` is the name of the one result. */
async function isFileTarget(inputs: readonly string[], out?: string): Promise<boolean> {
  const [input] = inputs;
  if (out === standardStream) return true;
  if (out === undefined || input === undefined || inputs.length > 1) return false;
  if (/[/\\]$/.test(out) || (await kind(out)) === 'folder') return false;
  if ((await kind(input)) === 'folder') return false;
  if (otherPictures.test(out)) {
    throw new UsageError(
      `${out}: expected PNG, JPEG, WebP, TIFF, AVIF or GIF, which are written here, got ${extname(out)}. ` +
        'Name the result so, or end the name of a folder with a slash.',
    );
  }
  return isPicturePath(out);
}

interface Plan {
  readonly input: FoundInput;
  readonly job: Job;
}

function plan(input: FoundInput, n: number, options: OutputOptions, toFile: boolean): Plan {
  const { out, size, model = '', format } = options;
  const job = (output: string): Plan => ({ input, job: { input: input.path, output } });
  if (toFile) {
    if (format !== undefined && out !== standardStream && formatOf(out!) !== format) {
      throw new UsageError(`${out}: expected a name of the format ${format}, got another ending.`);
    }
    return job(out!);
  }
  if (out === undefined && input.path === standardStream) return job(standardStream);
  const { dir, name: stem, ext } = parse(out === undefined ? input.path : input.below);
  const template = options.name ?? (out === undefined ? '{stem}-{size}' : '{stem}');
  const ending = format === undefined || sameFormat(ext, format) ? ext : extensionOf(format);
  const file = join(dir, resultName(template, { stem, size, model, n }) + ending);
  return job(out === undefined ? file : join(out, file));
}

/** Whether a name's ending already says the format. */
function sameFormat(ending: string, format: Format): boolean {
  return isPicturePath(`x${ending}`) && formatOf(`x${ending}`) === format;
}

/** @throws UsageError when more than one result would go to standard output */
function refuseSecondStream(jobs: readonly Job[]): void {
  const streams = jobs.filter(({ output }) => output === standardStream);
  if (streams.length > 1 || (streams.length === 1 && jobs.length > 1)) {
    throw new UsageError('output: expected one picture for standard output, got several.');
  }
}

/** Leaves out what a folder holds as the result beside another input, of this run or an earlier one. */
function withoutResults(plans: readonly Plan[]): Plan[] {
  const results = new Set(plans.map(({ job }) => pathKey(job.output)));
  return plans.filter(({ input }) => input.named || !results.has(pathKey(input.path)));
}

/** Drops repetitions of a job; two inputs for one output are refused. */
function refuseCollisions(jobs: readonly Job[]): Job[] {
  const byOutput = new Map<string, Job>();
  for (const job of jobs) {
    const key = pathKey(job.output);
    const other = byOutput.get(key);
    if (!other) byOutput.set(key, job);
    else if (!samePath(other.input, job.input)) {
      throw new UsageError(
        `${job.output}: expected one input for each result, got ${other.input} and ${job.input}. ` +
          'Upscale them into different folders.',
      );
    }
  }
  return [...byOutput.values()];
}

async function refuseInputsAsOutputs(all: readonly Job[]): Promise<void> {
  const jobs = all.filter(({ output }) => output !== standardStream);
  const inputs = new Set<string>();
  for (const { input } of jobs) inputs.add((await identity(input)) ?? pathKey(input));
  for (const { output } of jobs) {
    if (inputs.has((await identity(output)) ?? pathKey(output))) {
      throw new UsageError(
        `${output}: expected a result apart from the inputs, got one of them. ` +
          'Choose another folder with -o.',
      );
    }
  }
}

async function checkOutput(output: string, overwrite: boolean): Promise<void> {
  await checkFolder(dirname(output));
  const existing = await kind(output);
  if (existing === 'folder') {
    throw new PathError(`${output}: expected a file, got a folder. Choose another name with -o.`);
  }
  if (existing && !overwrite) {
    throw new PathError(
      `${output}: expected nothing there yet, got a file. ` +
        'Give --overwrite to replace it, or another name with -o.',
    );
  }
}

/** @throws PathError when `folder` can neither be written to nor be created. */
async function checkFolder(folder: string): Promise<void> {
  let nearest = folder;
  while (!(await kind(nearest)) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if ((await kind(nearest)) === 'file') {
    throw new PathError(
      `${nearest}: expected a folder for the results, got a file. Choose another with -o.`,
    );
  }
  try {
    await access(nearest, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new PathError(
      `${nearest}: expected a folder that may be written, got no permission. ` +
        'Change its permissions or choose another folder with -o.',
      { cause: error },
    );
  }
}

/** What is at a path, links followed; undefined for nothing. */
async function kind(path: string): Promise<'file' | 'folder' | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats && (stats.isDirectory() ? 'folder' : 'file');
}

/** Names one file whatever path leads to it; undefined when there is none. */
async function identity(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats && `${stats.dev}:${stats.ino}`;
}

const caseMatters = process.platform !== 'win32' && process.platform !== 'darwin';

/** A path in the one spelling by which it is compared. */
function pathKey(path: string): string {
  const absolute = resolve(path);
  return caseMatters ? absolute : absolute.normalize('NFC').toLowerCase();
}

function samePath(a: string, b: string): boolean {
  return pathKey(a) === pathKey(b);
}
