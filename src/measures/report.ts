/** @file Results of an evaluation as a table, as JSON and as CSV. */
import type { Evaluation } from './evaluate.ts';
import type { Measure } from './measure.ts';

/** What `--json` prints. Scores that do not exist are null. */
export interface EvaluationJson {
  readonly count: number;
  readonly mean: Readonly<Record<string, number | null>>;
  readonly pictures: readonly Readonly<Record<string, string | number | null>>[];
  /** Names of measures that were left out because they lack something. */
  readonly missing: readonly string[];
}

/** The evaluation as plain data. */
export function toJson(
  { measures, mean, pictures }: Evaluation,
  missing: readonly Measure[],
): EvaluationJson {
  const record = (scores: ReadonlyMap<Measure, number>): Record<string, number | null> =>
    Object.fromEntries(
      measures
        .filter((measure) => scores.has(measure))
        .map((measure) => [measure.name, finite(scores.get(measure)!)]),
    );
  return {
    count: pictures.length,
    mean: record(mean),
    pictures: pictures.map(({ name, scores }) => ({ name, ...record(scores) })),
    missing: missing.map((measure) => measure.name),
  };
}

function finite(score: number): number | null {
  return Number.isFinite(score) ? score : null;
}

/** One line a picture under a head; nothing where a picture has no score (RFC 4180). */
export function toCsv({ measures, pictures }: Evaluation): string {
  const single = measures.filter((measure) => pictures.some(({ scores }) => scores.has(measure)));
  const rows = pictures.map(({ name, scores }) => [
    name,
    ...single.map((measure) => finite(scores.get(measure) ?? NaN)?.toString() ?? ''),
  ]);
  const head = ['name', ...single.map((measure) => measure.name)];
  return [head, ...rows].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('');
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

const arrows = { higher: '\u2191', lower: '\u2193', one: '\u2192 1' } as const;

/** Head of a measure's column, with an arrow to where better is. */
export function headOf(measure: Measure): string {
  return `${measure.title} ${arrows[measure.better]}`;
}

/** A score with its measure's digits; `-` where there is none. */
export function formatScore(measure: Measure, score: number | undefined): string {
  return score === undefined || Number.isNaN(score) ? '-' : score.toFixed(measure.digits);
}

/** The means, a line under a head; then what has no score, and what was left out and why. */
export function toTable(evaluation: Evaluation, missing: readonly Measure[]): string {
  const { measures, mean, pictures } = evaluation;
  const columns = measures.map((measure) => [
    headOf(measure),
    formatScore(measure, mean.get(measure)),
  ]);
  const all = [['pictures', String(pictures.length)], ...columns] as [string, string][];
  const line = (row: 0 | 1): string =>
    all.map((cells) => cells[row].padStart(Math.max(cells[0].length, cells[1].length))).join('  ');
  return [
    line(0),
    line(1),
    ...unscored(evaluation),
    ...missing.map((measure) => `${measure.title} left out: lacks ${measure.lacks}`),
  ].join('\n');
}

/** What keeps a mean from existing, by name. */
function unscored({ measures, pictures }: Evaluation): string[] {
  return measures.flatMap((measure) => {
    const names = pictures
      .filter(({ scores }) => Number.isNaN(scores.get(measure)))
      .map(({ name }) => name);
    if (names.length === 0) return [];
    const more = names.length > 3 ? `, ... (${names.length} in all)` : '';
    return [`${measure.title}: no score for ${names.slice(0, 3).join(', ')}${more}`];
  });
}
