/** @file Colour for pixels that alpha hides, taken from those around them, so that none of it shows at edges. */
import { hasAlpha, type Picture } from './picture.ts';

/** A picture's colours and how much each counts. */
interface Level {
  readonly width: number;
  readonly height: number;
  /** Interleaved; 0 where it does not count. */
  readonly color: Float32Array;
  /** 1 where the colour counts, else 0. */
  readonly weight: Float32Array;
}

/**
 * The picture with the colour under transparent pixels replaced by that of the visible ones
 * near them: pull and push over halved pictures (Gortler 1996). What drawing
 * programs leave there, mostly black, would otherwise be spread into the visible edge by anything
 * that looks at neighbours. Alpha stays; opaque pixels stay.
 */
export function bleedColor(picture: Picture): Picture {
  const { channels, data } = picture;
  if (!hasAlpha(picture)) return picture;
  const colors = channels - 1;
  let hidden = false;
  let visible = false;
  for (let i = colors; i < data.length; i += channels) {
    if (data[i] === 0) hidden = true;
    else visible = true;
  }
  if (!hidden || !visible) return picture;
  const filled = fill(levelOf(picture), colors);
  const out = data.slice();
  const half = data instanceof Float32Array ? 0 : 0.5;
  for (let p = 0, i = 0; i < data.length; p++, i += channels) {
    if (data[i + colors] !== 0) continue;
    for (let c = 0; c < colors; c++) out[i + c] = filled[p * colors + c]! + half;
  }
  return { ...picture, data: out };
}

function levelOf({ width, height, channels, data }: Picture): Level {
  const colors = channels - 1;
  const weight = new Float32Array(width * height);
  const color = new Float32Array(width * height * colors);
  for (let p = 0, i = 0; p < weight.length; p++, i += channels) {
    if (data[i + colors] === 0) continue;
    weight[p] = 1;
    for (let c = 0; c < colors; c++) color[p * colors + c] = data[i + c]!;
  }
  return { width, height, color, weight };
}

/** Colour for every pixel: its own where it counts, else that of the halved picture. */
function fill(level: Level, colors: number): Float32Array {
  const { width, height, color, weight } = level;
  if (!weight.includes(0)) return color;
  const small = halve(level, colors);
  const below = fill(small, colors);
  const out = color; // it is not needed any more
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      if (weight[p] === 1) continue;
      const q = ((y >> 1) * small.width + (x >> 1)) * colors;
      for (let c = 0; c < colors; c++) out[p * colors + c] = below[q + c]!;
    }
  }
  return out;
}

/** Means of 2x2 pixels that count. */
function halve({ width, height, color, weight }: Level, colors: number): Level {
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1];
  const small = {
    width: w,
    height: h,
    color: new Float32Array(w * h * colors),
    weight: new Float32Array(w * h),
  };
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      if (weight[p] === 0) continue;
      const q = (y >> 1) * w + (x >> 1);
      small.weight[q]! += 1;
      for (let c = 0; c < colors; c++) small.color[q * colors + c]! += color[p * colors + c]!;
    }
  }
  for (let q = 0; q < small.weight.length; q++) {
    const count = small.weight[q]!;
    if (count === 0) continue;
    small.weight[q] = 1;
    for (let c = 0; c < colors; c++) small.color[q * colors + c]! /= count;
  }
  return small;
}
