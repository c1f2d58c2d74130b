/** @file JPEG as files have it, through libjpeg (sharp), in place of the differentiable stand-in. */
import { fromPlanes, makePicture, toPlanes } from '../image/picture.ts';
import { loadSharp } from '../image/sharp.ts';
import type { Planes } from './planes.ts';

/**
 * What a real JPEG file leaves of a picture: quality rounded to a whole number, 4:2:0, bytes in and out.
 *
 * @param x `[3, H, W]` in [0, 1]
 * @param quality 1..100
 * @returns `[3, H, W]`, multiples of 1/255
 */
export async function realJpeg(x: Planes, quality: number): Promise<Planes> {
  const picture = fromPlanes(x, { like: new Uint8Array(), channels: 3, range: 'unit' });
  const { width, height, data } = picture;
  const sharp = await loadSharp();
  const file = await sharp(data as Uint8Array, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: Math.min(100, Math.max(1, Math.round(quality))), chromaSubsampling: '4:2:0' })
    .toBuffer();
  const bytes = await sharp(file).raw().toBuffer();
  return toPlanes(makePicture(width, height, 3, new Uint8Array(bytes)), 'unit');
}
