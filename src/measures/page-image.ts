/** @file Pictures as data: addresses, for pages that carry them. */
import { encodePicture } from '../image/codec.ts';
import { makePicture } from '../image/picture.ts';
import type { Rgb } from './rgb.ts';

/** A picture on a page. */
export interface PageImage {
  readonly width: number;
  readonly height: number;
  /** `data:` address */
  readonly url: string;
}

/** WebP at a quality that hides no difference worth a score; JPEG where WebP cannot be as large. */
export async function pageImage({ width, height, data }: Rgb): Promise<PageImage> {
  const format = Math.max(width, height) > 16383 ? 'jpeg' : 'webp';
  const picture = makePicture(width, height, 3, data);
  const bytes = await encodePicture(picture, format, { quality: 92 });
  return { width, height, url: `data:image/${format};base64,${bytes.toString('base64')}` };
}
