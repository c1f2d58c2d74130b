/** @file Where MANIQA looks: 20 crops of a picture, drawn as the authors' script draws them, or on a grid. */
import { interpolate } from '../image/interpolate.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { NumpyRandom } from './numpy-random.ts';

/** Pixels a side of a crop. */
export const cropSize = 224;
/** Crops of a picture. */
export const cropCount = 20;

/** A crop's corner. */
export interface Corner {
  readonly top: number;
  readonly left: number;
}

/** Chooses the crops of one picture after another. */
export type ChooseCrops = (height: number, width: number) => readonly Corner[];

/**
 * Crops at random. One generator serves all pictures: a picture more, less or of another size changes
 * the crops of all that follow it, and their scores.
 */
export function randomCrops(seed = 123, count: number = cropCount): ChooseCrops {
  const random = new NumpyRandom(seed);
  return (height, width) =>
    Array.from({ length: count }, () => {
      const top = random.below(height - cropSize + 1);
      return { top, left: random.below(width - cropSize + 1) };
    });
}

/** Crops that depend on nothing but the size: rows and columns spread evenly from edge to edge. */
export function gridCrops(rows = 4, columns = 5): ChooseCrops {
  const spread = (length: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.round((i * (length - cropSize)) / (count - 1)));
  return (height, width) =>
    spread(height, rows).flatMap((top) => spread(width, columns).map((left) => ({ top, left })));
}

/**
 * A picture large enough to be cropped: one whose shorter side is 224 or less is enlarged until it
 * is 225.
 *
 * @param x planes `[3, H, W]`
 */
export function largeEnough(x: Tensor<'float32'>): Tensor<'float32'> {
  const [, height, width] = x.shape as [number, number, number];
  const shorter = Math.min(height, width);
  if (shorter > cropSize) return x;
  const factor = (cropSize + 1) / shorter;
  return interpolate(x, 'bilinear', Math.floor(height * factor), Math.floor(width * factor));
}

/** One crop. @param x planes `[3, H, W]` @returns `[1, 3, 224, 224]` */
export function crop(x: Tensor<'float32'>, { top, left }: Corner): Tensor<'float32'> {
  const [, height, width] = x.shape as [number, number, number];
  const data = new Float32Array(3 * cropSize * cropSize);
  for (let c = 0, o = 0; c < 3; c++) {
    for (let row = top; row < top + cropSize; row++, o += cropSize) {
      const start = (c * height + row) * width + left;
      data.set(x.data.subarray(start, start + cropSize), o);
    }
  }
  return tensor('float32', [1, 3, cropSize, cropSize], data);
}
