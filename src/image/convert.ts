/** @file Depth and alpha of a picture changed to what a file format can hold. */
import { fullScale, hasAlpha, type Picture, type Samples, samplesLike } from './picture.ts';

/**
 * The picture with samples like `like`; the same one when they are already. To fewer levels the
 * nearest is taken, floats are clipped to 0..1.
 */
export function convertDepth(picture: Picture, like: Samples): Picture {
  const { data } = picture;
  const from = fullScale(data);
  const to = fullScale(like);
  if (from === to) return picture;
  const out = samplesLike(like, data.length);
  const half = to > 1 ? 0.5 : 0;
  for (let i = 0; i < out.length; i++) {
    const unit = data[i]! / from;
    out[i] = (unit < 0 ? 0 : unit > 1 ? 1 : unit) * to + half;
  }
  return { ...picture, data: out };
}

/** The picture laid over white, without alpha; the same one when it has none. */
export function overWhite(picture: Picture): Picture {
  if (!hasAlpha(picture)) return picture;
  const { width, height, channels, data } = picture;
  const white = fullScale(data);
  const half = white > 1 ? 0.5 : 0;
  const colors = channels === 2 ? 1 : 3;
  const out = samplesLike(data, width * height * colors);
  for (let i = 0, o = 0; i < data.length; i += channels) {
    const alpha = data[i + colors]! / white;
    for (let c = 0; c < colors; c++) out[o++] = data[i + c]! * alpha + white * (1 - alpha) + half;
  }
  return { width, height, channels: colors, data: out };
}

/**
 * Linear light as sRGB-encoded values (IEC 61966-2-1), in place, clipped to 0..1. Alpha is left.
 *
 * @param data interleaved floats
 */
export function encodeSrgb(data: Float32Array, channels: number): void {
  const colors = channels - (channels % 2 === 0 ? 1 : 0);
  for (let i = 0; i < data.length; i++) {
    const v = Math.min(Math.max(data[i]!, 0), 1);
    if (i % channels >= colors) data[i] = v;
    else data[i] = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
  }
}
