/** @file The watcher's configuration file: TOML or JSON whose keys are the command's long options. */
import { readFile } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { explainPathError } from '../image/path-errors.ts';
import { FormatError, UsageError } from '../tensor/errors.ts';

/** A configuration as lists of arguments, to be parsed as if they had been typed. */
export interface ConfigArguments {
  /** What applies to the whole watcher and, unless they say otherwise, to all rules. */
  readonly common: readonly string[];
  /** One list for each rule, with `--in` for the folder. */
  readonly rules: readonly (readonly string[])[];
}

/** Options whose values are paths, which are taken from the file's own folder. */
const paths = new Set(['in', 'out', 'failed', 'done', 'state', 'lora']);

/**
 * Reads a configuration.
 *
 *     http = 8080
 *     [[rule]]
 *     in = "scans"
 *     out = "/srv/large"
 *     scale = 2
 *
 * @throws PathError when it cannot be read; FormatError when it is neither TOML nor JSON; UsageError
 *   for a value that no option takes
 */
export async function readConfig(file: string): Promise<ConfigArguments> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw explainPathError(error, file);
  }
  const { rule, ...common } = parseText(text, file);
  const rules = rule ?? [];
  if (!Array.isArray(rules) || !rules.every(isTable)) {
    throw new UsageError(`${file}: expected [[rule]] tables, got something else named "rule".`);
  }
  const base = dirname(resolve(file));
  const args = (table: Table): string[] =>
    Object.entries(table).flatMap(([key, value]) => argumentsFor(file, base, key, value));
  return { common: args(common), rules: rules.map(args) };
}

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseText(text: string, file: string): Table {
  const json = extname(file).toLowerCase() === '.json';
  let value: unknown;
  try {
    value = json ? JSON.parse(text) : parse(text);
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n');
    throw new FormatError(`${file}: expected ${json ? 'JSON' : 'TOML'}, got an error (${line}).`, {
      cause: error,
    });
  }
  if (isTable(value)) return value;
  throw new FormatError(`${file}: expected an object, got ${JSON.stringify(value)}.`);
}

/** `key = value` as arguments; `true` is the option alone, `false` is as if it were not there. */
function argumentsFor(file: string, base: string, key: string, value: unknown): string[] {
  if (!/^[a-z][a-z-]*$/.test(key) || key === 'config') {
    throw new UsageError(`${file}: expected names of options, got ${JSON.stringify(key)}.`);
  }
  if (value === true) return [`--${key}`];
  if (value === false) return [];
  if (Array.isArray(value)) {
    return value.flatMap((member) => argumentsFor(file, base, key, member));
  }
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new UsageError(
      `${file}: expected text, a number or true for "${key}", got ${JSON.stringify(value)}.`,
    );
  }
  // A model is a name, unless it has a separator in it.
  const isPath = paths.has(key) || (key === 'model' && /[/\\]/.test(String(value)));
  const text = isPath ? resolve(base, String(value)) : String(value);
  return [`--${key}=${text}`];
}
