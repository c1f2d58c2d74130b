/**
 * @file Parity from file to file, as the official program does it with the posterior's mean:
 * `files/files.json`.
 */
import { join } from 'node:path';
import { readPicture } from '../../src/image/codec.ts';
import type { Picture } from '../../src/image/picture.ts';
import { resizeLikeOfficial } from '../../src/image/resample.ts';
import { openUpscaler } from '../../src/pipeline/local.ts';
import type { ColorFix, UpscaleOptions } from '../../src/pipeline/types.ts';
import { difference } from '../helpers/difference.ts';
import { type Folder, jsonOf, type Section } from './folder.ts';
import { row, type Row } from './row.ts';

interface Entry {
  readonly in: string;
  readonly resized?: string;
  readonly out?: string;
  readonly scale: number;
  readonly prompt: string;
  readonly color: ColorFix;
  readonly model: string;
  readonly lora?: string;
}

/** A value that lies on a byte's edge may be cut off to the one below: twice, by the colour fix. */
const mostLevels = 2;
/** Share of bytes that may differ at all. */
const mostBytes = 0.005;

export const files: Section = {
  files: /^files\/files\.json$/,
  inputs: /./,
  async *rows(folder, file) {
    for (const entry of jsonOf(folder, file) as readonly Entry[]) yield* entryRows(folder, entry);
  },
};

async function* entryRows(folder: Folder, entry: Entry): AsyncGenerator<Row> {
  const read = (name: string): Promise<Picture> => readPicture(join(folder.root, 'files', name));
  const input = await read(entry.in);
  const resized = resizeLikeOfficial(input, entry.scale, 512);
  if (entry.resized) {
    const want = await read(entry.resized);
    yield row(`files/${entry.resized}`, 'rgb', levels(want, resized), 0);
  }
  if (!entry.out) return;
  const want = await read(entry.out);
  const upscaler = await openUpscaler({
    model: join(folder.root, entry.model),
    loras: entry.lora ? [join(folder.root, entry.lora)] : [],
    device: folder.device,
    promptFrom: 'none', // the prompts are given whole, tags included
  });
  const { scale, prompt, color } = entry;
  const options: UpscaleOptions = { scale, prompt, asPublished: true, mean: true };
  try {
    const got = await upscaler.upscale(input, { ...options, color });
    const plain =
      color === 'adain' && (await upscaler.upscale(input, { ...options, color: 'none' }));
    const most = plain ? Math.max(mostLevels, largestStep(plain, got)) : mostLevels;
    yield row(`files/${entry.out}`, 'rgb', levels(want, got), most);
    yield row(`files/${entry.out}`, 'rgb.unequal', share(want, got), mostBytes);
  } finally {
    await upscaler.dispose();
  }
}

function sameShape(a: Picture, b: Picture): boolean {
  return a.width === b.width && a.height === b.height && a.channels === b.channels;
}

/** Largest difference of two bytes. */
function levels(want: Picture, got: Picture): number {
  return sameShape(want, got) ? difference(want.data, got.data).largest : Infinity;
}

/** Share of bytes that differ. */
function share(want: Picture, got: Picture): number {
  return sameShape(want, got) ? difference(want.data, got.data).count / want.data.length : 1;
}

/**
 * The largest step between neighbouring levels of AdaIN's tables for this picture. The official colour
 * fix takes bytes through `(x - mean) / std * std' + mean'`: what is one level before it, where a value
 * on a byte's edge is cut off to the one below, is std'/std levels after it. With a gain of 2.1 that is
 * 2 or 3, by where the level lies; float64 arithmetic in PyTorch has some bytes off by 3 there too. So
 * the bar is the table's own step where that is more than the two levels of the other files.
 *
 * @param plain the network's bytes @param fixed what AdaIN makes of them
 */
function largestStep(plain: Picture, fixed: Picture): number {
  let most = 0;
  for (const channel of [0, 1, 2]) {
    const table = new Map<number, number>();
    for (let i = channel; i < plain.data.length; i += 3) table.set(plain.data[i]!, fixed.data[i]!);
    for (const [level, value] of table) {
      most = Math.max(most, Math.abs((table.get(level + 1) ?? value) - value));
    }
  }
  return most;
}
