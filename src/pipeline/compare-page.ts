/** @file A page that compares two pictures of any size, and a small crop of both for terminals. */
import type { FileHandle } from 'node:fs/promises';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { probePicture } from '../image/codec.ts';
import { writeFileSafely } from '../image/safe-write.ts';
import { loadSharp } from '../image/sharp.ts';
import { FormatError } from '../tensor/errors.ts';
import { pageHead, type PageSide, pageTail, pageTile, pageTileText } from './compare-client.ts';
import { explainPathError } from '../image/path-errors.ts';

/** What the page says. */
export interface ComparePage {
  /** Picture files; the first is drawn at the size of the second. */
  readonly before: string;
  readonly after: string;
  /** One line: scores, options. @default '' */
  readonly note?: string;
  readonly overwrite?: boolean;
}

/**
 * Writes a page that shows two pictures under one slider, to be zoomed into. All is in the one file:
 * tiles at every halved size, which the browser decodes only when they are seen, so that pictures of
 * hundreds of megapixels open at once.
 *
 * @throws PathError and FormatError of reading and writing
 */
export async function writeComparePage(
  file: string,
  { before, after, note = '', overwrite = false }: ComparePage,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'osediff-compare-'));
  try {
    const sides: [PageSide, PageSide] = [
      await cutTiles(before, join(folder, '0')),
      await cutTiles(after, join(folder, '1')),
    ];
    const title = `${basename(before)} and ${basename(after)}`;
    const write = async (handle: FileHandle): Promise<void> => {
      await handle.write(pageHead(title, note));
      for (const side of [0, 1]) await writeTiles(handle, side, join(folder, `${side}_files`));
      await handle.write(pageTail(sides));
    };
    await writeFileSafely(file, write, { overwrite });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Pixels up to which tiles are stored without loss. */
const mostLossless = 4e6;

/** Writes a picture's tiles into `<folder>_files/<level>/<column>_<row>.webp`. */
async function cutTiles(picture: string, folder: string): Promise<PageSide> {
  const { width, height } = await probePicture(picture, { limitPixels: Infinity });
  const sharp = await loadSharp();
  try {
    await sharp(picture, { limitInputPixels: false, autoOrient: true })
      // Blocks and blurred colours of the page's own would be taken for the picture's.
      .webp(
        width * height <= mostLossless ? { lossless: true } : { quality: 95, smartSubsample: true },
      )
      .tile({ size: pageTile, overlap: 0, layout: 'dz', depth: 'onetile' })
      .toFile(`${folder}.dz`);
  } catch (error) {
    const path = explainPathError(error, picture);
    if (path !== error) throw path;
    throw new FormatError(
      `${picture}: expected a whole picture, got a damaged one (${(error as Error).message.split('\n')[0]}). Copy it again.`,
      { cause: error },
    );
  }
  const levels = await levelsIn(`${folder}_files`);
  return { label: basename(picture), width, height, top: levels.length - 1 };
}

/** Levels are folders named by numbers; properties lie beside them. */
async function levelsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^\d+$/.test(name));
  return names.sort((a, b) => Number(a) - Number(b));
}

async function writeTiles(handle: FileHandle, side: number, folder: string): Promise<void> {
  for (const level of await levelsIn(folder)) {
    for (const name of await readdir(join(folder, level))) {
      const bytes = await readFile(join(folder, level, name));
      await handle.write(pageTileText(side, level, name.replace(/\.webp$/, ''), bytes));
    }
  }
}

/** Edge of each half of a crop, in pixels. */
const cropEdge = 320;

/**
 * Writes a crop of both pictures side by side in pixels of the second, from where it is liveliest:
 * what a terminal that shows pictures can show.
 *
 * @param file a PNG
 */
export async function writeCompareCrop(
  file: string,
  { before, after, overwrite = false }: ComparePage,
): Promise<void> {
  const sharp = await loadSharp();
  const open = (picture: string) => sharp(picture, { limitInputPixels: false, autoOrient: true });
  const small = await probePicture(before, { limitPixels: Infinity });
  const large = await probePicture(after, { limitPixels: Infinity });
  const width = Math.min(cropEdge, large.width);
  const height = Math.min(cropEdge, large.height);
  const { left, top } = await liveliest(after, large, { width, height });
  const scale = small.width / large.width;
  const region = {
    left: Math.min(small.width - 1, Math.round(left * scale)),
    top: Math.min(small.height - 1, Math.round(top * scale)),
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
  region.width = Math.min(region.width, small.width - region.left);
  region.height = Math.min(region.height, small.height - region.top);
  const halves = [
    await open(before)
      .extract(region)
      .resize(width, height, { fit: 'fill', kernel: 'cubic' })
      .flatten()
      .png()
      .toBuffer(),
    await open(after).extract({ left, top, width, height }).flatten().png().toBuffer(),
  ];
  const bytes = await sharp({
    create: { width: 2 * width + 4, height, channels: 3, background: 'white' },
  })
    .composite(halves.map((input, i) => ({ input, left: i * (width + 4), top: 0 })))
    .png()
    .toBuffer();
  await writeFileSafely(file, bytes, { overwrite });
}

/** Where a window of this size has most contrast, of a few places in the picture. */
async function liveliest(
  picture: string,
  { width, height }: { readonly width: number; readonly height: number },
  window: { readonly width: number; readonly height: number },
): Promise<{ left: number; top: number }> {
  const sharp = await loadSharp();
  const edge = 256;
  const { data, info } = await sharp(picture, { limitInputPixels: false, autoOrient: true })
    .resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const unit = info.width / width;
  const [w, h] = [window.width, window.height].map((size) => Math.max(1, Math.floor(size * unit)));
  let best = { score: -1, left: 0, top: 0 };
  for (let i = 0; i <= 6; i++) {
    for (let k = 0; k <= 6; k++) {
      const [x, y] = [
        Math.floor(((info.width - w!) * i) / 6),
        Math.floor(((info.height - h!) * k) / 6),
      ];
      let [sum, squares] = [0, 0];
      for (let r = y; r < y + h!; r++) {
        for (let c = x; c < x + w!; c++) {
          const v = data[(r * info.width + c) * info.channels]!;
          sum += v;
          squares += v * v;
        }
      }
      const score = squares - (sum * sum) / (w! * h!);
      if (score > best.score)
        best = { score, left: Math.floor(x / unit), top: Math.floor(y / unit) };
    }
  }
  return {
    left: Math.min(best.left, width - window.width),
    top: Math.min(best.top, height - window.height),
  };
}
