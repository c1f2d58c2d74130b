/** @file What a batch will take, before it runs: memory by size, time by the speed of earlier runs. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PlannedPicture } from './picture-check.ts';
import { isLarge } from './picture-job.ts';

/** Bytes of Node, sharp, onnxruntime and the bundled model's largest tile, measured. */
const base = 700e6;
/** Bytes an output pixel: of a picture in memory (planes, samples, the encoder), of one on disk. */
const perPixel = { inMemory: 22, onDisk: 0 };
/** Bytes an output pixel of one row of tiles: blended planes, and the rows they are cut from. */
const perBandPixel = 18;
/** Rows of a tile, about; models with larger ones take more. */
const tileRows = 1024;

/** Memory that upscaling a picture will take at most, in bytes; models other than the bundled one take their own beside it. */
export function estimateMemory(picture: PlannedPicture): number {
  const { width, height } = picture.result;
  const band = width * Math.min(tileRows, height) * perBandPixel;
  const large = isLarge(picture, { upscale: {} });
  const each = large ? perPixel.onDisk : perPixel.inMemory;
  return base + band + each * width * height * picture.frames;
}

/** Millions of output pixels a second that models reached, by what they are called with. */
export type Speeds = Readonly<Record<string, number>>;

/** The speeds of earlier runs; none where none are remembered. */
export async function readSpeeds(file: string): Promise<Speeds> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Speeds;
  } catch {
    return {};
  }
}

/** Remembers a speed. What cannot be written is not remembered. */
export async function writeSpeed(file: string, key: string, speed: number): Promise<void> {
  const speeds = { ...(await readSpeeds(file)), [key]: Number(speed.toPrecision(3)) };
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(speeds));
    await rename(`${file}.${process.pid}`, file);
  } catch {
    // An estimate less.
  }
}

/** Seconds for a picture at this many million output pixels a second. */
export function estimateSeconds({ result, frames }: PlannedPicture, speed: number): number {
  return (result.width * result.height * frames) / 1e6 / speed;
}
