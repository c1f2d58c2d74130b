/** @file Progress as text: a bar that fits the terminal, durations, and the time that is left. */
import type { Progress } from '../pipeline/types.ts';

/** How much of the work on one picture each phase is, about. */
const phases = { prepare: [0, 0.03], tiles: [0.03, 0.94], finish: [0.97, 0.03] } as const;

/** Progress within one picture, from 0 to 1. */
export function pictureFraction({ phase, done, total }: Progress): number {
  const [start, share] = phases[phase];
  return start + share * (total > 0 ? Math.min(1, done / total) : 0);
}

/** Progress over pictures of different sizes, weighted by their pixels. */
export class BatchFraction {
  /** Pixels of the pictures before each, and of all. */
  readonly #before: readonly number[];

  constructor(pictures: readonly { readonly width: number; readonly height: number }[]) {
    let sum = 0;
    this.#before = [0, ...pictures.map(({ width, height }) => (sum += width * height))];
  }

  /** @returns 0 to 1, when the picture at `index` is at `fraction` and those before are done */
  at(index: number, fraction: number): number {
    const before = this.#before[index]!;
    return (before + (this.#before[index + 1]! - before) * fraction) / this.#before.at(-1)!;
  }
}

/**
 * Seconds left, from the time spent so far; undefined before there is enough to go by.
 *
 * @param elapsed seconds since the fraction was 0
 */
export function secondsLeft(elapsed: number, fraction: number): number | undefined {
  if (elapsed < 0.5 || fraction < 0.02) return undefined;
  return (elapsed * (1 - fraction)) / fraction;
}

/** A duration as `0:07`, `12:34` or `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [s, m, h] = [whole % 60, Math.floor(whole / 60) % 60, Math.floor(whole / 3600)];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** What a progress bar shows. */
export interface BarState {
  /** 0 to 1. */
  readonly fraction: number;
  /** What is being done, e.g. `2/5 photo.png`; cut to fit. */
  readonly label: string;
  readonly secondsLeft?: number | undefined;
}

/** One line of at most `columns` - 1 characters, so that no terminal wraps it. */
export function barLine(state: BarState, columns: number): string {
  const fraction = Math.max(0, Math.min(1, state.fraction));
  const percent = `${String(Math.floor(fraction * 100)).padStart(3)} %`;
  const left = state.secondsLeft === undefined ? '' : ` ETA ${clock(state.secondsLeft)}`;
  const width = Math.max(0, Math.min(30, columns - percent.length - left.length - 24));
  const filled = Math.round(fraction * width);
  const bar = width < 4 ? '' : `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] `;
  const head = `${bar}${percent}${left} `;
  const room = Math.max(0, columns - 1 - head.length);
  return (head + shorten(state.label, room)).slice(0, Math.max(0, columns - 1));
}

/** The end of a text is what tells file names apart, so the front gives way. */
function shorten(text: string, room: number): string {
  const characters = Array.from(text);
  if (characters.length <= room) return text;
  return room < 4 ? '' : `...${characters.slice(characters.length - room + 3).join('')}`;
}
