/** @file How an error is shown and which exit code it gives. */
import { inspect } from 'node:util';
import { OsediffError, UsageError } from '../tensor/errors.ts';

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** An error as text for people: one line when the input is at fault, with its stack when we are. */
export function errorText(error: unknown): string {
  if (error instanceof OsediffError) return oneLine(error.message);
  return error instanceof Error && error.stack ? error.stack : inspect(error);
}

/** An error as one line, whatever it is. */
export function errorMessage(error: unknown): string {
  return oneLine(error instanceof Error ? error.message || error.name : inspect(error));
}

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}

/** Text on one line: control characters, as a file name may hold them, are shown as JSON shows them. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return character === '\n' ? '\\n' : `\\u${code}`;
  });
}
