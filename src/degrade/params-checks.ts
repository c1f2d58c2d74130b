/** @file Checks of values that come from a file of parameters, each by its name. */
import { ConfigError } from '../tensor/errors.ts';

/** Checks one value; `where` is its path, `initial` what holds when it is left out. */
export type Check<T> = (value: unknown, where: string, initial: T) => T;

/** A check for every field: one left out does not compile. */
export type Fields<T> = { readonly [K in keyof T]: Check<T[K]> };

/** An object with some of these fields and no others. */
export function nested<T extends object>(fields: Fields<T>): Check<T> {
  return (value, where, initial) => {
    const given = entries(value, where, Object.keys(fields));
    const out: T = { ...initial };
    for (const [key, entry] of given) {
      const name = key as keyof T & string;
      out[name] = fields[name](entry, `${where}: ${name}`, initial[name]);
    }
    return out;
  };
}

/** A number from 0 to 1. */
export const probability: Check<number> = (value, where) => {
  if (!isNumber(value) || value < 0 || value > 1) {
    throw refused(where, 'a number from 0 to 1', value);
  }
  return value;
};

/** A whole number of at least `least`. */
export function wholeFrom(least: number): Check<number> {
  return (value, where) => {
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      throw refused(where, `a whole number of at least ${least}`, value);
    }
    return value as number;
  };
}

/** True or false. */
export const flag: Check<boolean> = (value, where) => {
  if (typeof value !== 'boolean') throw refused(where, 'true or false', value);
  return value;
};

/** Limits of a range: its lower bound `from` or `above`, its upper one `below`, a value within. */
export interface RangeLimits {
  readonly from?: number;
  readonly above?: number;
  readonly below?: number;
  readonly around?: number;
}

/** Two numbers, the lower first. */
export function range(limits: RangeLimits): Check<readonly [number, number]> {
  const { from, above, below, around } = limits;
  const expected = [
    'two numbers, the lower first',
    from === undefined ? '' : `, from ${from}`,
    above === undefined ? '' : `, above ${above}`,
    below === undefined ? '' : ` and below ${below}`,
    around === undefined ? '' : `, with ${around} between them`,
  ].join('');
  return (value, where) => {
    const [low, high, ...more]: unknown[] = Array.isArray(value) ? value : [];
    const fits =
      isNumber(low) &&
      isNumber(high) &&
      more.length === 0 &&
      low <= high &&
      low >= (from ?? -Infinity) &&
      low > (above ?? -Infinity) &&
      high < (below ?? Infinity) &&
      low <= (around ?? low) &&
      high >= (around ?? high);
    if (!fits) throw refused(where, expected, value);
    return [low, high];
  };
}

/** Numbers from 0 up, by name; those left out are 0, and one at least is not. */
export function weights<K extends string>(
  value: unknown,
  where: string,
  initial: Readonly<Record<K, number>>,
): Readonly<Record<K, number>> {
  const names = Object.keys(initial) as K[];
  const given = new Map(entries(value, where, names));
  const out = {} as Record<K, number>;
  for (const name of names) {
    const weight = given.get(name) ?? 0;
    if (!isNumber(weight) || weight < 0) {
      throw refused(`${where}: ${name}`, 'a number of at least 0', weight);
    }
    out[name] = weight;
  }
  if (!names.some((name) => out[name] > 0)) throw refused(where, 'a number above 0', value);
  return out;
}

/** At least one odd whole number. */
export const kernelSizeList: Check<readonly number[]> = (value, where) => {
  const sizes: unknown[] = Array.isArray(value) ? value : [];
  const odd = (size: unknown) => Number.isSafeInteger(size) && (size as number) % 2 === 1;
  if (sizes.length === 0 || !sizes.every((size) => odd(size) && (size as number) < 100)) {
    throw refused(where, 'a list of odd numbers from 1 to 99', value);
  }
  return sizes as number[];
};

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** The entries of an object whose keys must be among `known`. */
function entries(value: unknown, where: string, known: readonly string[]): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused(where, `an object with any of ${known.join(', ')}`, value);
  }
  const given = Object.entries(value);
  for (const [key] of given) {
    if (!known.includes(key)) {
      throw new ConfigError(
        `${where}: expected only ${known.join(', ')}, got ${JSON.stringify(key)}.`,
      );
    }
  }
  return given;
}

function refused(where: string, expected: string, value: unknown): ConfigError {
  const text = JSON.stringify(value) ?? 'nothing';
  const got = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return new ConfigError(`${where}: expected ${expected}, got ${got}.`);
}
