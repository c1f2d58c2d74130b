/** @file Tells the user how a film goes: frames, speed, time left and size. */
import { errorMessage, oneLine } from './errors.ts';
import { barLine, clock, secondsLeft } from './progress.ts';
import type { Output, ReportOptions } from './report.ts';

interface Plan {
  readonly input: string;
  readonly output: string;
  readonly width: number;
  readonly height: number;
  readonly encoder: string;
  readonly frames: number | undefined;
  readonly resumed: number;
}

interface Progress {
  readonly done: number;
  readonly frames: number | undefined;
  readonly bytes: number;
}

interface Result {
  readonly output: string;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly computed: number;
  readonly reused: number;
}

/** Hears of a film's fate. */
export interface VideoReporter {
  /** Which ffmpeg does the work. */
  onFfmpeg(kind: 'native' | 'wasm', version: string): void;
  onPreview(file: string): void;
  onPlanned(plan: Plan): void;
  onProgress(progress: Progress): void;
  onNote(text: string): void;
  end(result: Result): void;
  /** The work stopped: `error` is reported by whoever catches it, here only to programs. */
  stopped(error: unknown): void;
}

/** Milliseconds between two drawings of the bar, two JSON progress lines and two plain lines. */
const pause = { bar: 100, json: 250, plain: 5000 } as const;

/** What the built-in ffmpeg costs, as measured (docs/video.md). */
const wasmLimits =
  'it encodes about 6 and decodes about 3 times slower, has no AV1, and makes at most 4096x2304. Install ffmpeg to be faster.';

function ffmpegText(kind: 'native' | 'wasm', version: string): string {
  return kind === 'native'
    ? `ffmpeg ${version} (native)`
    : `ffmpeg ${version} (WebAssembly, built in): ${wasmLimits}`;
}

/** The speed since the first frame of this run, and the time that is left. */
class Pace {
  #start: number | undefined;
  #first = 0;

  at(
    { done, frames }: Progress,
    time: number,
  ): { fps: number; left: number | undefined; fraction: number } {
    if (this.#start === undefined) {
      this.#start = time;
      this.#first = done;
    }
    const seconds = (time - this.#start) / 1000;
    const through = done - this.#first;
    const total = Math.max(frames ?? 0, done);
    const fraction = frames === undefined ? 0 : through / Math.max(1, total - this.#first);
    const fps = seconds > 0 ? through / seconds : 0;
    return { fps, left: secondsLeft(seconds, fraction), fraction: done / Math.max(1, total) };
  }
}

/** A reporter for people: the result's path on stdout, everything else on stderr. */
export function textVideoReporter(options: ReportOptions = {}): VideoReporter {
  const {
    stdout = process.stdout,
    stderr = process.stderr,
    now = () => performance.now(),
  } = options;
  const live = stderr.isTTY === true;
  const pace = new Pace();
  let last = live ? Number.NEGATIVE_INFINITY : now();
  let shown = false;
  const clear = (): void => {
    if (shown) stderr.write('\r\u001b[K');
    shown = false;
  };
  const line = (output: Output, text: string): void => {
    clear();
    output.write(`${text}\n`);
  };
  return {
    onFfmpeg: (kind, version) => line(stderr, ffmpegText(kind, version)),
    onPreview: (file) => line(stdout, file),
    onPlanned({ input, width, height, encoder, frames, resumed }): void {
      const count = frames === undefined ? '' : `, about ${frames} frames`;
      const before = resumed > 0 ? `, ${resumed} done before` : '';
      line(stderr, `${oneLine(input)}: to ${width}x${height} with ${encoder}${count}${before}`);
    },
    onProgress(progress): void {
      const time = now();
      const { fps, left, fraction } = pace.at(progress, time);
      if (time - last < (live ? pause.bar : pause.plain)) return;
      last = time;
      const { done, frames, bytes } = progress;
      const total = frames === undefined ? '' : `/${Math.max(frames, done)}`;
      const label = `frame ${done}${total}, ${fps.toFixed(2)} fps, ${(bytes / 1e6).toFixed(1)} MB`;
      if (live) {
        const bar = barLine({ fraction, label, secondsLeft: left }, stderr.columns || 80);
        stderr.write(`\r${bar}\u001b[K`);
        shown = true;
      } else line(stderr, left === undefined ? label : `${label}, about ${clock(left)} left`);
    },
    onNote: (text) => line(stderr, `note: ${oneLine(text)}`),
    end({ output, frames, width, height, seconds, computed, reused }): void {
      const share =
        reused > 0 ? `, ${Math.round((100 * reused) / (computed + reused))} % unchanged` : '';
      line(stderr, `${frames} frames of ${width}x${height} in ${seconds.toFixed(1)} s${share}`);
      line(stdout, output);
    },
    stopped: clear,
  };
}

/** A reporter for programs: one JSON object a line on stdout, told apart by `event`. */
export function jsonVideoReporter(options: ReportOptions = {}): VideoReporter {
  const { stdout = process.stdout, now = () => performance.now() } = options;
  const send = (event: string, fields: object): void => {
    stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
  };
  const pace = new Pace();
  let last = Number.NEGATIVE_INFINITY;
  return {
    onFfmpeg: (kind, version) => send('ffmpeg', { kind, version, text: ffmpegText(kind, version) }),
    onPreview: (file) => send('preview', { file }),
    onPlanned: (plan) => send('planned', plan),
    onProgress(progress): void {
      const time = now();
      const { fps, left } = pace.at(progress, time);
      if (time - last < pause.json) return;
      last = time;
      const eta = left === undefined ? {} : { secondsLeft: Math.ceil(left) };
      send('progress', { ...progress, fps: Number(fps.toFixed(3)), ...eta });
    },
    onNote: (text) => send('note', { text }),
    end: (result) => send('end', { ...result, seconds: Number(result.seconds.toFixed(3)) }),
    stopped: (error) => send('error', { error: errorMessage(error) }),
  };
}
