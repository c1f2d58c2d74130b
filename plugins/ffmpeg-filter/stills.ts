/** @file Folders of stills, as many film programs keep their frames: in order, unchanged ones not computed again. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { PathError, readPicture, writePicture, type Upscaler } from 'osediff';
import { CellUpscaler, type CellOptions } from './cells.ts';
import { inOrder } from './in-order.ts';

const endings = /\.(png|jpe?g|webp|tiff?)$/i;

export interface StillsOptions {
  readonly load: () => Promise<Upscaler>;
  readonly cells: CellOptions;
  /** Leave results that are there, as an earlier run left them (whole or not at all). */
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly onFrame?: (done: number, total: number, name: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Upscale the pictures of a folder, by their names in order, to another folder under the same names.
 *
 * @returns how many were written
 * @throws PathError when there is none, or a result exists
 */
export async function upscaleStills(
  from: string,
  to: string,
  options: StillsOptions,
): Promise<number> {
  const { load, cells, resume = false, overwrite = false, onFrame, signal } = options;
  const names = (await list(from)).filter((name) => endings.test(name)).sort(byNumber);
  if (names.length === 0) {
    throw new PathError(`${from}: expected pictures (PNG, JPEG, WebP or TIFF), got none.`);
  }
  await mkdir(to, { recursive: true });
  const there = new Set(await list(to));
  const left = resume ? names.filter((name) => !there.has(name)) : names;
  const taken = left.find((name) => there.has(name));
  if (taken !== undefined && !overwrite) {
    throw new PathError(
      `${path.join(to, taken)}: expected no such file yet, got one. Give --resume, --overwrite or another folder.`,
    );
  }
  if (left.length === 0) return 0;
  const upscaler = await load();
  let frames: { size: string; upscaler: CellUpscaler } | undefined;
  let done = names.length - left.length;
  try {
    const start = async (
      name: string,
    ): Promise<{ name: string; result: Awaited<ReturnType<CellUpscaler['push']>> }> => {
      const picture = await readPicture(path.join(from, name));
      const { width, height, channels, data } = picture;
      const size = `${width}x${height}x${channels} ${data.constructor.name}`;
      if (frames?.size !== size) {
        frames = { size, upscaler: new CellUpscaler(upscaler, width, height, cells) };
      }
      return { name, result: await frames.upscaler.push(picture) };
    };
    for await (const { name, result } of inOrder(each(left), start, 3)) {
      signal?.throwIfAborted();
      await writePicture(result, path.join(to, name), { overwrite });
      onFrame?.(++done, names.length, name);
    }
  } finally {
    await upscaler.dispose();
  }
  return left.length;
}

async function* each(names: readonly string[]): AsyncGenerator<string> {
  yield* names;
}

async function list(folder: string): Promise<string[]> {
  const there = await stat(folder).catch(() => undefined);
  if (!there?.isDirectory()) {
    throw new PathError(`${folder}: expected a folder of pictures, got none. Check its spelling.`);
  }
  return readdir(folder);
}

/** `frame9` before `frame10`. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
