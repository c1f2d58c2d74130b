/** @file Pictures as FID's network sees them: cut to its size the `clean` way (Parmar 2022) or pytorch-fid's. */
import { interpolate } from '../image/interpolate.ts';
import { toPlanes } from '../image/picture.ts';
import { resizeFloats } from '../image/resample.ts';
import { inceptionSize } from '../networks/inception.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Rgb } from './rgb.ts';

/**
 * Bicubic with antialiasing, as Pillow resizes floats; clipped to the range of bytes, not rounded.
 * What the paper's table is taken with.
 *
 * @returns `[1, 3, 299, 299]` in [-1, 1]
 */
export function cleanInput(picture: Rgb): Tensor<'float32'> {
  const side = inceptionSize;
  const resized = resizeFloats(picture.data, { ...picture, channels: 3 }, side, side, 'bicubic');
  const out = new Float32Array(resized.length);
  const area = side * side;
  for (let p = 0, i = 0; p < area; p++) {
    for (let c = 0; c < 3; c++, i++) {
      out[c * area + p] = (Math.min(Math.max(resized[i]!, 0), 255) - 128) / 128;
    }
  }
  return tensor('float32', [1, 3, side, side], out);
}

/** Bilinear without antialiasing, as pytorch-fid resizes. @returns `[1, 3, 299, 299]` in [-1, 1] */
export function legacyInput({ width, height, data }: Rgb): Tensor<'float32'> {
  const planes = toPlanes({ width, height, channels: 3, data }, 'unit');
  const { data: unit } = interpolate(planes, 'bilinear', inceptionSize, inceptionSize);
  const out = unit.map((v) => 2 * v - 1);
  return tensor('float32', [1, 3, inceptionSize, inceptionSize], out);
}
