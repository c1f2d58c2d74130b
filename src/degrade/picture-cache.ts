/** @file Keeps decoded pictures in memory, so that a small data set is decoded once and not every epoch. */
import { readPicture } from '../image/codec.ts';
import type { Picture } from '../image/picture.ts';
import type { ReadPicture } from './sample.ts';

/**
 * A reader that keeps pictures until they take `limit` bytes, and those for good: where every picture
 * comes once an epoch, making room for the newest would throw each out before its turn comes again.
 */
export function cachedReader(limit: number, read: ReadPicture = readPicture): ReadPicture {
  const kept = new Map<string, Picture>();
  let bytes = 0;
  return async (file) => {
    const known = kept.get(file);
    if (known) return known;
    const picture = await read(file);
    const size = picture.data.byteLength;
    if (!kept.has(file) && bytes + size <= limit) {
      kept.set(file, picture);
      bytes += size;
    }
    return picture;
  };
}
