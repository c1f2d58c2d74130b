/** @file Pictures of the sibling folder `../shared`, which a clean clone does not have. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Rgb } from '../../src/measures/rgb.ts';

const root = new URL('../../../shared/', import.meta.url);

/** The absolute path of something in the shared folder, or undefined where it is absent. */
export function shared(path: string): string | undefined {
  const absolute = fileURLToPath(new URL(path, root));
  return existsSync(absolute) ? absolute : undefined;
}

/** A picture file as bytes, read by sharp itself. */
export async function readRgb(file: string): Promise<Rgb> {
  const raw = sharp(file).toColourspace('srgb').removeAlpha().raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}
