/** @file File names: which are temporary, what a result is called, and how long a name may be. */
import { createHash } from 'node:crypto';
import { basename, dirname, extname, join } from 'node:path';
import { isPicturePath } from '../pipeline/inputs.ts';

/** What a hidden folder of ours begins with, whatever it lies in. */
export const hiddenName = '.osediff';

/** Names that programs give to what they are still writing. */
const temporary = /\.(tmp|temp|part|partial|filepart|crdownload|download|swp|swx|!ut)$|~$|^~\$/i;

/** What operating systems and storage boxes keep in folders for themselves. */
const system =
  /^(thumbs\.db|desktop\.ini|ehthumbs\.db|@eaDir|#recycle|\$RECYCLE\.BIN|System Volume Information|lost\+found)$/i;

/** Whether a file or folder of this name is left alone: hidden, temporary, or the system's own. */
export function isIgnored(name: string): boolean {
  return name.startsWith('.') || temporary.test(name) || system.test(name);
}

/** Endings of films; whatever else there is may be a picture, which its content tells. */
const filmEnding = /^\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m2?ts|mts|mxf|wmv|flv|ogv|3gp)$/i;

/** Whether a file is taken for a film, by its name. */
export function isFilm(file: string): boolean {
  return filmEnding.test(extname(file));
}

/** Containers that films are written to; any other becomes Matroska, which holds the most. */
const container = /^\.(mkv|webm|mp4|m4v|mov|avi|ts|mts|m2ts|mxf)$/i;

/**
 * The name of a result below the results' folder.
 *
 * @param file the input's path below its folder
 * @param ending of pictures, such as `.png`; without it, and for films, the input's own is kept where
 *   it can be written
 */
export function resultName(file: string, ending?: string): string {
  const own = extname(file);
  const ofPicture = (): string => ending ?? (isPicturePath(file) ? own : '.png');
  const ofFilm = (): string => (container.test(own) ? own : '.mkv');
  const wanted = isFilm(file) ? ofFilm() : ofPicture();
  if (wanted === own) return file;
  const stem = basename(file, own);
  return join(dirname(file), fitName(stem, wanted));
}

/** The `n`-th choice of a name: itself, then `name-2.png`, `name-3.png` ... */
export function numbered(file: string, n: number): string {
  if (n === 1) return file;
  const ending = extname(file);
  return join(dirname(file), fitName(basename(file, ending), `-${n}${ending}`));
}

/** The name of a file that goes with another: `photo.png` and `photo.png.json`. */
export function companion(file: string, ending: string): string {
  return join(dirname(file), fitName(basename(file), ending));
}

/** Most bytes of a name on the file systems in use. */
const longest = 255;

/**
 * `stem` and `ending` as one name that a file system takes: a stem that is too long is cut at a
 * character, and a hash of the whole keeps names apart that begin alike.
 */
export function fitName(stem: string, ending: string): string {
  if (Buffer.byteLength(stem + ending) <= longest) return stem + ending;
  const mark = `~${createHash('sha256').update(stem).digest('hex').slice(0, 8)}${ending}`;
  let room = longest - Buffer.byteLength(mark);
  let kept = '';
  for (const character of stem) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return kept + mark;
}
