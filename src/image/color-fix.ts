/** @file Colour of the result matched to its source: AdaIN or wavelet (StableSR, as OSEDiff uses them). */
import { ShapeError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import {
  type ColorStatistics,
  momentsOfPicture,
  momentsOfPlanes,
  statistics,
} from './color-statistics.ts';
import { fromPlanes, type Picture, toPlanes } from './picture.ts';
import { addLowFrequencies } from './wavelet.ts';

/** `adain` matches each channel's mean and spread, `wavelet` takes over the low frequencies. */
export type ColorFix = 'adain' | 'wavelet' | 'none';

function requireSameSize(a: readonly number[], b: readonly number[]): void {
  if (a.join() !== b.join()) {
    throw new ShapeError(
      `color fix: expected result and source of one size, got [${a.join(', ')}] and [${b.join(', ')}].`,
    );
  }
}

/** What AdaIN does to each value of a channel: `x * gain + offset`. */
export function adainCoefficients(
  from: ColorStatistics,
  to: ColorStatistics,
): readonly { readonly gain: number; readonly offset: number }[] {
  return [0, 1, 2].map((c) => {
    const gain = to.std[c]! / from.std[c]!;
    return { gain, offset: to.mean[c]! - from.mean[c]! * gain };
  });
}

/**
 * Planes with `from`'s statistics given `to`'s, in place: (x - mean) / std * std' + mean'.
 *
 * The statistics must be the whole picture's: matched tile by tile, uniform tiles blow up. So
 * `planes` may be a band of it.
 *
 * @param planes `[3, H, W]` in [0, 1]; the result is not clamped.
 */
export function adainInPlace(
  planes: Tensor<'float32'>,
  from: ColorStatistics,
  to: ColorStatistics,
): void {
  const x = planes.data;
  const area = x.length / 3;
  for (const [c, { gain, offset }] of adainCoefficients(from, to).entries()) {
    for (let i = c * area; i < (c + 1) * area; i++) x[i] = x[i]! * gain + offset;
  }
}

/**
 * AdaIN of a whole picture.
 *
 * @param result planes `[3, H, W]` in [0, 1]
 * @param source planes of the same shape; only their mean and spread are taken
 * @returns new planes, not clamped
 */
export function adain(result: Tensor<'float32'>, source: Tensor<'float32'>): Tensor<'float32'> {
  requireSameSize(result.shape, source.shape);
  const out = tensor('float32', result.shape, result.data.slice());
  const from = statistics(momentsOfPlanes(result));
  adainInPlace(out, from, statistics(momentsOfPlanes(source)));
  return out;
}

/**
 * The result's high frequencies on the source's low ones: high(result) + low(source). Since the
 * split is linear, that is result + low(source - result): one blur, not two.
 *
 * @param result planes `[3, H, W]` in [0, 1]; a band of a larger picture is right from `WAVELET_REACH`
 *   rows within it.
 * @param source planes of the same shape
 * @returns new planes, not clamped
 */
export function wavelet(result: Tensor<'float32'>, source: Tensor<'float32'>): Tensor<'float32'> {
  requireSameSize(result.shape, source.shape);
  const [, height = 0, width = 0] = result.shape;
  const out = tensor('float32', result.shape, result.data.slice());
  const area = width * height;
  const difference = new Float32Array(area);
  for (let c = 0; c < 3; c++) {
    const y = out.data.subarray(c * area, (c + 1) * area);
    const s = source.data.subarray(c * area, (c + 1) * area);
    for (let i = 0; i < area; i++) difference[i] = s[i]! - y[i]!;
    addLowFrequencies(y, difference, width, height);
  }
  return out;
}

/** AdaIN on bytes as the official program runs it: one table a channel, in its float32 arithmetic. */
function adainBytes(result: Picture, source: Picture): Picture {
  const from = statistics(momentsOfPicture(result));
  const to = statistics(momentsOfPicture(source));
  const { fround } = Math;
  const tables = [0, 1, 2].map((c) => {
    const [mean, std] = [fround(from.mean[c]!), fround(from.std[c]!)];
    const [mean2, std2] = [fround(to.mean[c]!), fround(to.std[c]!)];
    return Uint8Array.from({ length: 256 }, (_, byte) => {
      const normal = fround(fround(fround(byte / 255) - mean) / std);
      const unit = fround(fround(normal * std2) + mean2);
      return fround(Math.min(Math.max(unit, 0), 1) * 255);
    });
  }) as [Uint8Array, Uint8Array, Uint8Array];
  const [red, green, blue] = tables;
  const out = new Uint8Array(result.data.length);
  for (let i = 0; i < out.length; i += 3) {
    out[i] = red[result.data[i]!]!;
    out[i + 1] = green[result.data[i + 1]!]!;
    out[i + 2] = blue[result.data[i + 2]!]!;
  }
  return { ...result, data: out };
}

/**
 * The colour fix of the official program: on bytes, the corrected values cut off to bytes again.
 *
 * @param result RGB bytes of the network
 * @param source RGB bytes of its input, of the same size
 * @throws ShapeError when sizes differ or either is not RGB bytes.
 */
export function fixColorOfBytes(result: Picture, source: Picture, fix: ColorFix): Picture {
  const shape = ({ height, width, channels }: Picture): number[] => [height, width, channels];
  requireSameSize(shape(result), shape(source));
  if (
    result.channels !== 3 ||
    !(result.data instanceof Uint8Array && source.data instanceof Uint8Array)
  ) {
    throw new ShapeError(`color fix: expected RGB bytes, got ${result.channels} channels.`);
  }
  if (fix === 'none') return result;
  if (fix === 'adain') return adainBytes(result, source);
  return fromPlanes(wavelet(toPlanes(result, 'unit'), toPlanes(source, 'unit')), {
    like: result.data,
    channels: 3,
    range: 'unit',
    rounding: 'truncate',
  });
}
