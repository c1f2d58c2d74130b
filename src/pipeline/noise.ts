/** @file Standard normal noise for the posterior's sample, the same for a latent whatever the tiling. */
import { fillNormal } from '../tensor/normal.ts';
import { Random } from '../tensor/random.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * Noise of a rectangle of the latents. Each latent pixel has a stream of its own, so that tiles agree
 * where they overlap and one seed always gives the same picture.
 *
 * @param left first column, of the whole latents; may be negative, in padding
 * @returns `[1, channels, height, width]`
 */
export function latentNoise(
  seed: number,
  channels: number,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
): Tensor<'float32'> {
  const data = new Float32Array(channels * width * height);
  const pixel = new Float32Array(channels);
  // Coordinates are shifted so that padding before the picture is positive too.
  const shift = 2 ** 16;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      fillNormal(new Random([seed, top + y + shift, left + x + shift]), pixel);
      for (const [c, value] of pixel.entries()) data[(c * height + y) * width + x] = value;
    }
  }
  return tensor('float32', [1, channels, height, width], data);
}
