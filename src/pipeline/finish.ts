/** @file From generated values to samples: colour matched, detail weighed, rounded. All rows at once or band by band. */
import { adainCoefficients } from '../image/color-fix.ts';
import type { ColorKernels } from '../image/color-kernels.ts';
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
  /** What matches the colour. */
  readonly kernels: ColorKernels;
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
export async function finishRows(
  planes: Tensor<'float32'>,
  source: Picture,
  finish: Finish,
): Promise<Picture> {
  const { color, detail, like } = finish;
  const { data } = planes;
  const wanted = color === 'wavelet' || detail < 1 ? toPlanes(source, 'unit') : undefined;
  await matchColor(planes, wanted, finish, [source.width, source.height]);
  if (detail < 1) {
    const plain = wanted!.data;
    for (let i = 0; i < data.length; i++) data[i] = plain[i]! + detail * (data[i]! - plain[i]!);
  }
  return fromPlanes(planes, { like, channels: colorChannels(source), range: 'unit' });
}

/** AdaIN or the wavelet exchange (see `color-fix.ts`), in place. */
async function matchColor(
  { data }: Tensor<'float32'>,
  wanted: Tensor<'float32'> | undefined,
  { color, statistics, kernels }: Finish,
  [width, height]: readonly [number, number],
): Promise<void> {
  if (color === 'none') return;
  const area = width * height;
  const plane = (c: number, of: Float32Array): Float32Array =>
    of.subarray(c * area, (c + 1) * area);
  if (color === 'adain') {
    const coefficients = adainCoefficients(statistics!.result, statistics!.source);
    for (const [c, { gain, offset }] of coefficients.entries()) {
      await kernels.affine(plane(c, data), gain, offset);
    }
    return;
  }
  const difference = new Float32Array(area);
  for (let c = 0; c < 3; c++) {
    const [x, s] = [plane(c, data), plane(c, wanted!.data)];
    for (let i = 0; i < area; i++) difference[i] = s[i]! - x[i]!;
    const low = await kernels.low(difference, width, height);
    for (let i = 0; i < area; i++) x[i]! += low[i]!;
  }
}
