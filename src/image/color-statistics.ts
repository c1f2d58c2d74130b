/** @file Mean and spread of a picture's channels, gathered in one go or band by band (for AdaIN). */
import type { Tensor } from '../tensor/tensor.ts';
import { colorChannels, fullScale, type Picture } from './picture.ts';

/** Sums over the samples seen so far, on the scale 0..1, for red, green and blue. */
export interface Moments {
  readonly count: number;
  readonly sum: readonly [number, number, number];
  readonly squares: readonly [number, number, number];
}

/** Mean and standard deviation of red, green and blue, on the scale 0..1. */
export interface ColorStatistics {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

type Three = [number, number, number];

/** What to begin with before the first band. */
export const noMoments: Moments = { count: 0, sum: [0, 0, 0], squares: [0, 0, 0] };

/** Both bands' moments together. */
export function addMoments(a: Moments, b: Moments): Moments {
  return {
    count: a.count + b.count,
    sum: a.sum.map((v, c) => v + b.sum[c]!) as Three,
    squares: a.squares.map((v, c) => v + b.squares[c]!) as Three,
  };
}

/** Moments of planes `[3, H, W]` in [0, 1]. */
export function momentsOfPlanes(planes: Tensor<'float32'>): Moments {
  const x = planes.data;
  const count = x.length / 3;
  const sum: Three = [0, 0, 0];
  const squares: Three = [0, 0, 0];
  for (let c = 0; c < 3; c++) {
    let s = 0;
    let q = 0;
    for (let i = c * count; i < (c + 1) * count; i++) {
      const v = x[i]!;
      s += v;
      q += v * v;
    }
    sum[c] = s;
    squares[c] = q;
  }
  return { count, sum, squares };
}

/** How often each of the `levels` integer samples occurs in channel `channel`. */
function histogram(picture: Picture, channel: number, levels: number): Float64Array {
  const counts = new Float64Array(levels);
  const { channels, data } = picture;
  for (let i = channel; i < data.length; i += channels) counts[data[i]!]!++;
  return counts;
}

/** Moments of a picture's colour; grey counts for all three, alpha is not looked at. */
export function momentsOfPicture(picture: Picture): Moments {
  const { channels, data } = picture;
  const scale = fullScale(data);
  const sum: Three = [0, 0, 0];
  const squares: Three = [0, 0, 0];
  for (let c = 0; c < colorChannels(picture); c++) {
    let s = 0;
    let q = 0;
    if (scale === 1) {
      for (let i = c; i < data.length; i += channels) {
        const v = data[i]!;
        s += v;
        q += v * v;
      }
    } else {
      // Integers are summed exactly by counting them.
      const counts = histogram(picture, c, scale + 1);
      for (let v = 1; v <= scale; v++) {
        s += v * counts[v]!;
        q += v * v * counts[v]!;
      }
    }
    sum[c] = s / scale;
    squares[c] = q / scale / scale;
  }
  if (channels < 3) {
    sum.fill(sum[0]);
    squares.fill(squares[0]);
  }
  return { count: data.length / channels, sum, squares };
}

/**
 * Statistics as AdaIN takes them: the variance is over N - 1, plus 1e-5.
 *
 * @see Huang and Belongie 2017, `calc_mean_std`; on the scale 0..1.
 */
export function statistics({ count, sum, squares }: Moments): ColorStatistics {
  const mean = sum.map((s) => s / count) as Three;
  const std = squares.map((q, c) => {
    // A single pixel has no spread; PyTorch says NaN there.
    const variance = count > 1 ? Math.max(q - sum[c]! * mean[c]!, 0) / (count - 1) : 0;
    return Math.sqrt(variance + 1e-5);
  }) as Three;
  return { mean, std };
}
