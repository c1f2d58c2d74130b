/** @file Reads diffusers' and transformers' config.json files; what is not built is refused by name. */
import { ConfigError } from '../tensor/errors.ts';

export type Json = Readonly<Record<string, unknown>>;

/** A config under inspection: what is asked for is checked, and what is never asked for is refused. */
export class ConfigReader {
  readonly #json: Json;
  readonly #where: string;
  readonly #seen = new Set<string>();

  /** @param where the file's name, for messages */
  constructor(json: Json, where: string) {
    this.#json = json;
    this.#where = where;
  }

  /** A positive whole number. */
  integer(key: string, fallback?: number): number {
    return this.#get(
      key,
      fallback,
      (v): v is number => Number.isInteger(v) && (v as number) > 0,
      'a positive integer',
    );
  }

  number(key: string, fallback?: number): number {
    return this.#get(key, fallback, (v): v is number => Number.isFinite(v), 'a number');
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.#get(key, fallback, (v): v is boolean => typeof v === 'boolean', 'true or false');
  }

  string(key: string, fallback?: string): string {
    return this.#get(key, fallback, (v): v is string => typeof v === 'string', 'a string');
  }

  /** One of a few words. */
  oneOf<T extends string | null>(key: string, allowed: readonly T[], fallback?: T): T {
    const known = (v: unknown): v is T => allowed.includes(v as T);
    return this.#get(key, fallback, known, allowed.map((v) => JSON.stringify(v)).join(' or '));
  }

  /** A list of positive whole numbers; a single one is repeated `length` times. */
  integers(key: string, length?: number, fallback?: number): readonly number[] {
    const whole = (v: unknown): boolean => Number.isInteger(v) && (v as number) > 0;
    const fits = (v: unknown): v is number | number[] =>
      (length !== undefined && whole(v)) ||
      (Array.isArray(v) &&
        v.length > 0 &&
        v.every(whole) &&
        (length === undefined || v.length === length));
    const value = this.#get<number | number[]>(
      key,
      fallback,
      fits,
      `${length ?? 'some'} positive integers`,
    );
    return typeof value === 'number' ? Array.from({ length: length! }, () => value) : value;
  }

  /** A list of block names, each of `allowed`. */
  blocks<T extends string>(key: string, allowed: readonly T[], length: number): readonly T[] {
    const fits = (v: unknown): v is T[] =>
      Array.isArray(v) && v.length === length && v.every((name) => allowed.includes(name as T));
    return this.#get<T[]>(key, undefined, fits, `${length} of ${allowed.join(', ')}`);
  }

  /** Says that these keys do not change what is computed here. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#seen.add(key);
  }

  /**
   * Ends the reading.
   *
   * @throws ConfigError naming a key that was never asked for and is switched on.
   */
  finish(): void {
    for (const [key, value] of Object.entries(this.#json)) {
      const off = value === null || value === false || key.startsWith('_');
      if (off || this.#seen.has(key)) continue;
      throw new ConfigError(
        `${this.#where}: "${key}" is ${JSON.stringify(value)}, which is not built here. Use a model without it.`,
      );
    }
  }

  /** Keys whose only value built here is the given one (or absence). */
  fixed(values: Json): void {
    for (const [key, value] of Object.entries(values)) {
      this.#seen.add(key);
      const got = this.#json[key];
      if (got === undefined || got === value) continue;
      throw new ConfigError(
        `${this.#where}: expected "${key}" to be ${JSON.stringify(value)}, got ${JSON.stringify(got)}. This variant is not built.`,
      );
    }
  }

  #get<T>(
    key: string,
    fallback: T | undefined,
    fits: (value: unknown) => value is T,
    what: string,
  ): T {
    this.#seen.add(key);
    const value = Object.hasOwn(this.#json, key) ? this.#json[key] : undefined;
    if ((value === undefined || value === null) && fallback !== undefined) return fallback;
    if (fits(value)) return value;
    const got = value === undefined ? 'nothing' : JSON.stringify(value);
    throw new ConfigError(`${this.#where}: expected "${key}" to be ${what}, got ${got}.`);
  }
}
