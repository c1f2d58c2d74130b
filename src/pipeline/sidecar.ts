/** @file Captions beside pictures: `photo.txt` says what `photo.png` shows. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { explainPathError } from '../image/path-errors.ts';
import { FormatError, PathError } from '../tensor/errors.ts';

/** A prompt has a few hundred bytes; what is much longer is no caption. */
const longest = 64 * 1024;

/** The file of a picture's caption. */
export function sidecarOf(picture: string): string {
  return `${picture.slice(0, picture.length - extname(picture).length)}.txt`;
}

/**
 * The caption of a picture, its lines joined.
 *
 * @throws PathError when there is none
 * @throws FormatError when it is no text of a caption's size
 */
export async function readSidecar(picture: string): Promise<string> {
  const file = sidecarOf(picture);
  const status = await stat(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw explainPathError(error, file);
    throw new PathError(
      `${picture}: expected its caption in ${file}, got no such file. Write it, with "osediff tag --write" for instance, or leave --prompt-from file out.`,
    );
  });
  if (status.size > longest) {
    throw new FormatError(
      `${file}: expected a caption of at most ${longest} bytes, got ${status.size}.`,
    );
  }
  const bytes = await readFile(file).catch((error: unknown) => {
    throw explainPathError(error, file);
  });
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.trim().replace(/\s+/g, ' ');
  } catch (cause) {
    throw new FormatError(`${file}: expected text in UTF-8. Save it so.`, { cause });
  }
}

/** A caption with the caller's own words behind it. */
export function captioned(caption: string, words: string): string {
  return [caption, words].filter((part) => part !== '').join(', ');
}
