/** @file What a measure is: something that scores pictures one by one, or a whole set of them. */
import type { Rgb } from './rgb.ts';

/** One way of scoring results, before anything is loaded for it. */
export interface Measure {
  /** Key of the score in every output: `psnr`. */
  readonly name: string;
  /** Head of its column: `PSNR`. */
  readonly title: string;
  /** Which way is better; `one`: a ratio, 1 being like the reference. */
  readonly better: 'higher' | 'lower' | 'one';
  /** Whether results are held against references. */
  readonly needsReference: boolean;
  /** Digits after the point in tables, as published ones have them. */
  readonly digits: number;
  /** What lacks before it can run, and how to get it: the rest of a sentence. Absent when it can. */
  readonly lacks?: string;
  /** Loads what it needs. */
  open(): Promise<Meter>;
}

/** A measure at work. It sees the pictures once each, in order. */
export interface Meter {
  /**
   * Takes one picture in.
   *
   * @returns its score, NaN when it has none; undefined from a measure of sets.
   */
  add(result: Rgb, reference: Rgb | undefined): Promise<number | undefined>;
  /** The score of all pictures, given the single ones. */
  total(scores: readonly number[]): Promise<number>;
  /** Frees what was loaded. */
  close(): Promise<void>;
}

/** The plain mean; NaN when one score is. */
export function arithmeticMean(scores: readonly number[]): number {
  return scores.reduce((sum, v) => sum + v, 0) / scores.length;
}

/** The mean of ratios. */
export function geometricMean(scores: readonly number[]): number {
  return Math.exp(arithmeticMean(scores.map((v) => Math.log(v))));
}

/** A meter that needs nothing loaded: a function of the picture, or of the pair. */
export function meterOf(
  score: (result: Rgb, reference: Rgb) => number,
  mean: (scores: readonly number[]) => number,
): Meter {
  return {
    add: (result, reference) => Promise.resolve(score(result, reference ?? result)),
    total: (scores) => Promise.resolve(mean(scores)),
    close: () => Promise.resolve(),
  };
}
