/** @file What the doctor finds, and how it is shown. */
import { oneLine } from './errors.ts';

/** One thing looked at. */
export interface Check {
  /** What it is about: `cuda`, `disk`. */
  readonly name: string;
  /** `ok`; `note` where something could be had that is not; `fault` where something is broken. */
  readonly state: 'ok' | 'note' | 'fault';
  readonly text: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** A check from `what is wrong: what to do`. */
export function finding(name: string, state: Check['state'], reason: string): Check {
  const colon = reason.lastIndexOf(': ');
  if (state === 'ok' || colon < 0) return { name, state, text: reason };
  const remedy = reason.slice(colon + 2);
  return {
    name,
    state,
    text: reason.slice(0, colon),
    remedy: `${remedy[0]!.toUpperCase()}${remedy.slice(1)}.`,
  };
}

/** Lines for people: name, state, text; remedies below. */
export function checksText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .flatMap(({ name, state, text, remedy }) => [
      `${name.padEnd(width)}  ${state.padEnd(5)}  ${oneLine(text)}`,
      ...(remedy === undefined ? [] : [`${' '.repeat(width + 9)}-> ${oneLine(remedy)}`]),
    ])
    .map((line) => `${line}\n`)
    .join('');
}
