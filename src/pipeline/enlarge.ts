/** @file The network's input: the picture at its final size, as planes, and its alpha apart. */
import { alphaOf, type Picture, toPlanes, withoutAlpha } from '../image/picture.ts';
import { resize } from '../image/resample.ts';
import { UsageError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A picture on its way through the networks. */
export interface Enlarged {
  /** Colour at the final size, enlarged by bicubic interpolation. */
  readonly color: Picture;
  /** Alpha at the final size, one channel; undefined where there is none. */
  readonly alpha: Picture | undefined;
  /** `color` as RGB planes `[3, H, W]` in [-1, 1]. */
  readonly planes: Tensor<'float32'>;
}

/**
 * Enlarges a picture by `scale`, to exactly `round(size * scale)` and at least one pixel.
 *
 * @throws UsageError when the scale is not a number above 0, up to 16
 */
export function enlarge(picture: Picture, scale: number): Enlarged {
  if (!(scale > 0 && scale <= 16)) {
    throw new UsageError(`scale: expected a number above 0 and up to 16, got ${scale}.`);
  }
  const [width, height] = [picture.width, picture.height].map((size) =>
    Math.max(1, Math.round(size * scale)),
  ) as [number, number];
  const large = resize(picture, width, height);
  const color = withoutAlpha(large);
  return { color, alpha: alphaOf(large), planes: toPlanes(color) };
}
