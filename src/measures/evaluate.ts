/** @file Scores a set of pictures by the chosen measures, in one go over the set. */
import { OsediffError, ShapeError } from '../tensor/errors.ts';
import type { Measure, Meter } from './measure.ts';
import { requireSameSize, type Rgb } from './rgb.ts';

/** A picture to be scored: read only when its turn comes. */
export interface Entry {
  readonly name: string;
  result(): Promise<Rgb>;
  /** Absent where nothing is compared with. */
  reference?(): Promise<Rgb>;
}

/** Scores of one picture. NaN: it has none by this measure, as a flat picture has none by NIQE. */
export interface PictureScores {
  readonly name: string;
  readonly scores: ReadonlyMap<Measure, number>;
}

/** What came out. */
export interface Evaluation {
  readonly measures: readonly Measure[];
  /** Plain means over the pictures (geometric ones of ratios); a set's own score, as FID's. */
  readonly mean: ReadonlyMap<Measure, number>;
  readonly pictures: readonly PictureScores[];
}

/** What may be wanted of a run. */
export interface EvaluateOptions {
  readonly onPicture?: (done: number, total: number, scores: PictureScores) => void;
  readonly signal?: AbortSignal;
}

/**
 * Scores every entry, in order.
 *
 * @throws ShapeError naming the picture when its size is not its reference's, or too small for a
 *   measure.
 */
export async function evaluate(
  entries: readonly Entry[],
  measures: readonly Measure[],
  { onPicture, signal }: EvaluateOptions = {},
): Promise<Evaluation> {
  const meters = new Map<Measure, Meter>();
  try {
    for (const measure of measures) meters.set(measure, await measure.open());
    const pictures: PictureScores[] = [];
    let next = entries.length > 0 ? read(entries[0]!) : undefined;
    for (const [i, entry] of entries.entries()) {
      signal?.throwIfAborted();
      const pair = await next!;
      // The next pair is decoded, on other threads, while this one is scored.
      if (i + 1 < entries.length) next = read(entries[i + 1]!);
      const scores = await scoreOne(entry.name, pair, meters);
      pictures.push({ name: entry.name, scores });
      onPicture?.(pictures.length, entries.length, pictures.at(-1)!);
    }
    const mean = new Map<Measure, number>();
    for (const [measure, meter] of meters) {
      const single = pictures.flatMap(({ scores }) => scores.get(measure) ?? []);
      mean.set(measure, await meter.total(single));
    }
    return { measures, mean, pictures };
  } finally {
    for (const meter of meters.values()) await meter.close();
  }
}

interface LoadedPair {
  readonly result: Rgb;
  readonly reference: Rgb | undefined;
}

function read(entry: Entry): Promise<LoadedPair> {
  const both = Promise.all([entry.result(), entry.reference?.()]);
  const pair = both.then(([result, reference]) => ({ result, reference }));
  pair.catch(() => undefined); // It is awaited later, or never, when the pair before it fails.
  return pair;
}

async function scoreOne(
  name: string,
  { result, reference }: LoadedPair,
  meters: ReadonlyMap<Measure, Meter>,
): Promise<Map<Measure, number>> {
  const scores = new Map<Measure, number>();
  if (reference) requireSameSize(name, result, reference);
  for (const [measure, meter] of meters) {
    try {
      const score = await meter.add(result, reference);
      if (score !== undefined) scores.set(measure, score);
    } catch (cause) {
      if (!(cause instanceof OsediffError)) throw cause;
      throw new ShapeError(`${name}: ${cause.message}`, { cause });
    }
  }
  return scores;
}
