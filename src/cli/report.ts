/** @file Tells the user how a batch goes: a bar, plain lines, or JSON lines for programs. */
import type { BatchListener, BatchSummary, PictureResult } from '../pipeline/batch.ts';
import type { Job } from '../pipeline/outputs.ts';
import { standardStream } from '../pipeline/standard-stream.ts';
import type { PlannedPicture } from '../pipeline/picture-check.ts';
import type { Progress } from '../pipeline/types.ts';
import { errorMessage, errorText, oneLine } from './errors.ts';
import {
  barLine,
  BatchFraction,
  clock,
  pictureFraction,
  secondsLeft,
  type BarState,
} from './progress.ts';

/** Where text goes. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Where a report goes and what its clock is; a test gives its own. */
export interface ReportOptions {
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** What a picture will take. */
export interface Estimate {
  /** Bytes. */
  readonly memory: number;
  /** Undefined before the first run with this model. */
  readonly seconds: number | undefined;
}

/** A batch's listener that also tells the end. */
export interface Reporter extends Required<BatchListener> {
  /** The batch went through, with or without failures. */
  end(summary: BatchSummary): void;
  /** Nothing runs: what would, with what it will take. */
  onEstimate(picture: PlannedPicture, estimate: Estimate): void;
  /** The batch stopped: `error` is reported by whoever catches it, here only to programs. */
  stopped(error: unknown): void;
}

/** Milliseconds between two drawings of the bar, two JSON progress lines and two plain lines. */
const pause = { bar: 100, json: 250, plain: 5000 } as const;

/**
 * A reporter for people: paths of results on stdout, everything else on stderr, as a progress bar
 * where that is a terminal and as a line now and then elsewhere.
 */
export function textReporter(options: ReportOptions = {}): Reporter {
  const {
    stdout = process.stdout,
    stderr = process.stderr,
    now = () => performance.now(),
  } = options;
  const live = stderr.isTTY === true;
  let pictures: readonly PlannedPicture[] = [];
  let fractions = new BatchFraction([]);
  let start: number | undefined;
  let last = Number.NEGATIVE_INFINITY;
  let shown = false;
  const failures: string[] = [];

  const clear = (): void => {
    if (shown) stderr.write('\r\u001b[K');
    shown = false;
  };
  const draw = (state: BarState): void => {
    // Some terminals say they have 0 columns.
    stderr.write(`\r${barLine(state, stderr.columns || 80)}\u001b[K`);
    shown = true;
  };
  const line = (output: Output, text: string): void => {
    clear();
    output.write(`${text}\n`);
  };
  const place = (index: number): string =>
    pictures.length > 1 ? `${index + 1}/${pictures.length} ` : '';

  return {
    onPlanned(planned: readonly PlannedPicture[]): void {
      pictures = planned;
      fractions = new BatchFraction(planned);
      if (live && planned.length > 0) draw({ fraction: 0, label: 'loading the model' });
    },
    onProgress(index: number, progress: Progress): void {
      const time = now();
      start ??= time;
      if (!live && last === Number.NEGATIVE_INFINITY) last = time; // nothing to say in the first seconds
      if (time - last < (live ? pause.bar : pause.plain)) return;
      last = time;
      const fraction = fractions.at(index, pictureFraction(progress));
      const left = secondsLeft((time - start) / 1000, fraction);
      const label = `${place(index)}${oneLine(pictures[index]?.input ?? '')}`;
      if (live) {
        draw({ fraction, label, secondsLeft: left });
      } else {
        const rest = left === undefined ? '' : `, about ${clock(left)} left`;
        line(stderr, `${label}: ${Math.floor(fraction * 100)} %${rest}`);
      }
    },
    onDone(index: number, { input, output, width, height, seconds }: PictureResult): void {
      if (!live) {
        const what = `${place(index)}${oneLine(input)}`;
        line(stderr, `${what}: ${width}x${height} in ${seconds.toFixed(1)} s`);
      }
      if (output !== standardStream) line(stdout, output);
    },
    onSkipped({ output }: Job): void {
      line(stderr, `${oneLine(output)}: is there already`);
    },
    onEstimate(picture: PlannedPicture, { memory, seconds }: Estimate): void {
      const { input, output, width, height, result, frames } = picture;
      const time = seconds === undefined ? 'time unknown before a first run' : clock(seconds);
      const times = frames > 1 ? ` in ${frames} frames` : '';
      const size = `${width}x${height} to ${result.width}x${result.height}${times}`;
      const needs = `about ${(memory / 1e9).toFixed(1)} GB, ${time}`;
      line(stdout, `${oneLine(input)} -> ${oneLine(output)}: ${size}, ${needs}`);
    },
    onFailed(input: string, error: unknown): void {
      failures.push(oneLine(input));
      line(stderr, `osediff: ${named(input, errorText(error))}`);
    },
    end({ done, failed }): void {
      clear();
      if (failed === 0 || done + failed === 1) return;
      line(stderr, `osediff: ${failed} of ${done + failed} failed: ${failures.join(', ')}`);
    },
    stopped(): void {
      clear();
    },
  };
}

/**
 * A reporter for programs: one JSON object a line on stdout, told apart by `event` (`planned`,
 * `progress`, `done`, `failed`, `end`, `error`). Failures are on stderr as well.
 */
export function jsonReporter(options: ReportOptions = {}): Reporter {
  const {
    stdout = process.stdout,
    stderr = process.stderr,
    now = () => performance.now(),
  } = options;
  const send = (event: string, fields: object): void => {
    stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
  };
  let pictures: readonly PlannedPicture[] = [];
  let last = Number.NEGATIVE_INFINITY;
  return {
    onPlanned(planned: readonly PlannedPicture[]): void {
      pictures = planned;
      send('planned', { pictures: planned.length });
    },
    onProgress(index: number, { phase, done, total }: Progress): void {
      const time = now();
      if (time - last < pause.json) return;
      last = time;
      send('progress', { input: pictures[index]?.input, phase, done, total });
    },
    onDone(_index: number, { input, output, width, height, seconds }: PictureResult): void {
      send('done', { input, output, width, height, seconds: Number(seconds.toFixed(3)) });
    },
    onSkipped({ input, output }: Job): void {
      send('skipped', { input, output });
    },
    onEstimate({ input, output, width, height, result, frames }, { memory, seconds }): void {
      const fields = { input, output, width, height, result, frames, memory };
      send('estimate', { ...fields, ...(seconds !== undefined && { seconds }) });
    },
    onFailed(input: string, error: unknown): void {
      send('failed', { input, error: errorMessage(error) });
      stderr.write(`osediff: ${named(input, errorText(error))}\n`);
    },
    end({ done, failed, skipped }): void {
      send('end', { done, failed, skipped });
    },
    stopped(error: unknown): void {
      send('error', { error: errorMessage(error) });
    },
  };
}

/** A text that names the input it is about: most errors do so themselves. */
function named(input: string, text: string): string {
  const name = oneLine(input);
  return text.includes(name) ? text : `${name}: ${text}`;
}
