/** @file One model's scores with several kinds of prompts side by side, as the paper's Table 4 has them. */
import type { Evaluation } from './evaluate.ts';
import type { Measure } from './measure.ts';
import { type EvaluationJson, formatScore, headOf, toJson } from './report.ts';

/** What must be said of such a comparison. */
const caveat =
  "The paper's Table 4 has a model trained for each kind of prompt; here one model gets all of them. " +
  'Train models of your own with "osediff finetune --prompt-from".';

/** Evaluations of the same pictures, by where their prompts came from. */
type ByPrompt = ReadonlyMap<string, Evaluation>;

/** A line of means for each kind of prompt. */
export function promptsTable(evaluations: ByPrompt, missing: readonly Measure[]): string {
  const measures = [...evaluations.values()][0]!.measures;
  const rows = [
    ['prompt', ...measures.map(headOf)],
    ...[...evaluations].map(([prompt, { mean }]) => [
      prompt,
      ...measures.map((measure) => formatScore(measure, mean.get(measure))),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    ...rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  ')),
    caveat,
    ...missing.map((measure) => `${measure.title} left out: lacks ${measure.lacks}`),
  ].join('\n');
}

/** The same as plain data. */
export function promptsJson(
  evaluations: ByPrompt,
  missing: readonly Measure[],
): { readonly prompts: Readonly<Record<string, EvaluationJson>>; readonly note: string } {
  const entries = [...evaluations].map(([prompt, one]) => [prompt, toJson(one, missing)] as const);
  return { prompts: Object.fromEntries(entries), note: caveat };
}
