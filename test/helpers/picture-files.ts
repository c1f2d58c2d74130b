/** @file Small files for tests: pictures, and what only pretends to be one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writePicture } from '../../src/image/codec.ts';
import { makePicture } from '../../src/image/picture.ts';

/** Write a small RGB picture to `path`, in the format of its ending, creating folders. */
export async function drawPicture(path: string, width = 8, height = 6): Promise<string> {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) % 256);
  mkdirSync(dirname(path), { recursive: true });
  await writePicture(makePicture(width, height, 3, data), path);
  return path;
}

/** Write bytes that are no picture to `path`, creating folders. */
export function writeText(path: string, text = 'no picture at all'): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}
