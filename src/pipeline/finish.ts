/** @file From generated values to samples: colour matched, detail weighed, rounded. All rows at once or band by band. */
import { adainInPlace, wavelet } from '../image/color-fix.ts';
import type { ColorStatistics } from '../image/color-statistics.ts';
import {
  colorChannels,
  fromPlanes,
  type Picture,
  type Samples,
  toPlanes,
} from '../image/picture.ts';
import { WAVELET_REACH } from '../image/wavelet.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ColorFix } from './types.ts';

/** What is done to every row. */
export interface Finish {
  readonly color: ColorFix;
  /** Statistics of the whole result and of the whole enlarged input; needed by `adain`. */
  readonly statistics?: { readonly result: ColorStatistics; readonly source: ColorStatistics };
  /** 0 is the enlarged input, 1 the result. */
  readonly detail: number;
  /** An array of the wanted depth. */
  readonly like: Samples;
}

/** Rows above and below that a row's colour depends on. */
export function finishReach({ color }: Pick<Finish, 'color'>): number {
  return color === 'wavelet' ? WAVELET_REACH : 0;
}

/**
 * Generated rows as a picture without alpha.
 *
 * @param planes `[3, H, W]` in [0, 1], not clamped; changed in place
 * @param source the same rows of the enlarged input
 */
export function finishRows(planes: Tensor<'float32'>, source: Picture, finish: Finish): Picture {
  const { color, statistics, detail, like } = finish;
  const { data } = planes;
  const wanted = color === 'wavelet' || detail < 1 ? toPlanes(source, 'unit') : undefined;
  if (color === 'wavelet') data.set(wavelet(planes, wanted!).data);
  else if (color === 'adain') adainInPlace(planes, statistics!.result, statistics!.source);
  if (detail < 1) {
    const plain = wanted!.data;
    for (let i = 0; i < data.length; i++) data[i] = plain[i]! + detail * (data[i]! - plain[i]!);
  }
  return fromPlanes(planes, { like, channels: colorChannels(source), range: 'unit' });
}
