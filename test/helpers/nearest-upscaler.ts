/** @file A stand-in for a model: repeats pixels. For tests of what surrounds a model. */
import { setTimeout as sleep } from 'node:timers/promises';
import { makePicture, samplesLike, type Picture } from '../../src/image/picture.ts';
import { outputSize, type Size } from '../../src/pipeline/size.ts';
import type { UpscaleOptions, Upscaler, UpscalerOptions } from '../../src/pipeline/types.ts';

/** What happens beside repeating pixels. */
export interface NearestBehaviour {
  /** Milliseconds each of the four steps takes. @default 0 */
  readonly step?: number;
  /** Called with each picture before it is upscaled; may throw. */
  readonly before?: (picture: Picture, options: UpscaleOptions) => void;
  readonly onDispose?: () => void;
}

/** A loader of such a model. */
export function nearestLoader(
  behaviour: NearestBehaviour = {},
): (options?: UpscalerOptions) => Promise<Upscaler> {
  return async ({ model = 'nearest' } = {}) => ({
    model: { name: model, device: 'cpu', precision: 'fp32' },
    upscale: async (input, options = {}) => {
      if (!('data' in input)) throw new Error('the stand-in takes pixels only');
      behaviour.before?.(input, options);
      const { onProgress, signal } = options;
      onProgress?.({ phase: 'prepare', done: 1, total: 1 });
      for (let done = 1; done <= 4; done++) {
        if (behaviour.step) await sleep(behaviour.step, undefined, { signal });
        onProgress?.({ phase: 'tiles', done, total: 4 });
      }
      onProgress?.({ phase: 'finish', done: 1, total: 1 });
      return repeat(input, outputSize(input, options));
    },
    dispose: async () => behaviour.onDispose?.(),
  });
}

function repeat(picture: Picture, { width, height }: Size): Picture {
  const { channels, data } = picture;
  const out = samplesLike(data, width * height * channels);
  for (let i = 0; i < out.length; i++) {
    const pixel = Math.floor(i / channels);
    const x = Math.floor(((pixel % width) * picture.width) / width);
    const y = Math.floor((Math.floor(pixel / width) * picture.height) / height);
    out[i] = data[(y * picture.width + x) * channels + (i % channels)]!;
  }
  return makePicture(width, height, channels, out);
}
