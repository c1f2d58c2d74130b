/** @file The watcher's log by pino: JSON for machines, one readable line each on a terminal. */
import { pino, type Logger } from 'pino';
import { oneLine } from './errors.ts';
import type { Output } from './report.ts';

/** Levels by name, the most talkative first. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** One of `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

/** A log that writes to `output`. */
export function createLog(level: LogLevel, output: Output = process.stdout): Logger {
  const write = output.isTTY
    ? (line: string): void => void output.write(`${readable(line)}\n`)
    : (line: string): void => void output.write(line);
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, { write });
}

/** `12:34:56 warn failed file=a.png`, of pino's line of JSON. */
function readable(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const name = pino.levels.labels[Number(level)] ?? '';
  const clock = new Date(String(time)).toLocaleTimeString('en-GB');
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return oneLine([clock, name, msg, ...rest].join(' '));
}
