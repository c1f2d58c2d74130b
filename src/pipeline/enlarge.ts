/** @file The network's input: the picture at its final size, its alpha apart. */
import { bleedColor } from '../image/bleed.ts';
import { alphaOf, type Picture, withoutAlpha } from '../image/picture.ts';
import { resize } from '../image/resample.ts';
import type { Size } from './size.ts';

/** A picture on its way through the networks. */
export interface Enlarged {
  /** Colour at the final size, enlarged by bicubic interpolation. */
  readonly color: Picture;
  /** Alpha at the final size, one channel; undefined where there is none. */
  readonly alpha: Picture | undefined;
}

/**
 * Enlarges a picture to exactly this size. Colour that alpha hides is replaced by the colour around
 * it first: networks look at it, and would spread it into the visible edge.
 */
export function enlarge(picture: Picture, { width, height }: Size): Enlarged {
  const large = resize(bleedColor(picture), width, height);
  return { color: withoutAlpha(large), alpha: alphaOf(large) };
}
