/** @file Small JSON files: configs, indexes, manifests. */
import { FormatError, PathError } from '../tensor/errors.ts';
import { openRangeFile } from './range-file.ts';
import { isObject, parseJson } from './strict-json.ts';

/** The index of a large model has some 100 bytes a tensor; a config far less. */
const largest = 16 * 2 ** 20;

/**
 * Reads a JSON file that holds an object.
 *
 * @throws PathError when it cannot be read
 * @throws FormatError when it is too large, no JSON object, or has a key twice
 */
export async function readJsonFile(path: string): Promise<Record<string, unknown>> {
  const file = await openRangeFile(path);
  try {
    if (file.size > largest) {
      throw new FormatError(`${path}: expected at most ${largest} bytes, got ${file.size}.`);
    }
    const value = parseJson(new TextDecoder().decode(await file.read(0, file.size)), path);
    if (!isObject(value)) throw new FormatError(`${path}: expected a JSON object.`);
    return value;
  } finally {
    await file.close();
  }
}

/** As `readJsonFile`, or undefined when there is no such file. */
export async function readJsonFileIfAny(
  path: string,
): Promise<Record<string, unknown> | undefined> {
  return readJsonFile(path).catch((error: unknown) => {
    const missing = error instanceof PathError && (error.cause as { code?: string })?.code;
    if (missing === 'ENOENT' || missing === 'ENOTDIR') return undefined;
    throw error;
  });
}
