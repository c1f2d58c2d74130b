/** @file JSON with the one check that JSON.parse leaves out: no key twice in an object (RFC 8259, 4). */
import { FormatError } from '../tensor/errors.ts';
import { quoted } from './quoted.ts';

/**
 * Parses JSON text.
 *
 * @param where the file or part of it, for messages
 * @throws FormatError when it is no JSON, or an object in it has a key twice
 */
export function parseJson(text: string, where: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${where}: expected JSON, got text that is not.`, { cause: error });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw new FormatError(`${where}: the key ${quoted(twice)} stands twice.`);
  return value;
}

/** Whether a value from JSON is an object (no array, not null). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key that stands twice in one object of `json`, which must be valid JSON; else undefined. */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // an entry a bracket; undefined for an array's
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '{') open.push(new Set());
    else if (c === '[') open.push(undefined);
    else if (c === '}' || c === ']') open.pop();
    else if (c === '"') {
      const end = stringEnd(json, i);
      if (nextIsColon(json, end)) {
        const key = JSON.parse(json.slice(i, end)) as string; // "\u0061" and "a" are one key
        const keys = open.at(-1)!;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return undefined;
}

/** The index after the string literal that starts at `start`. */
function stringEnd(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}

/** Whether a colon follows, which only a key has after it. */
function nextIsColon(json: string, start: number): boolean {
  let i = start;
  while (' \t\n\r'.includes(json[i] ?? '!')) i++;
  return json[i] === ':';
}
