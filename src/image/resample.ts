/** @file Resizing of pictures: bytes exactly as Pillow, other depths with the same filters in floats. */
import { ShapeError, UsageError } from '../tensor/errors.ts';
import { type Filter, filterWeights, type Pass, slicePass, type Weights } from './filters.ts';
import { fullScale, hasAlpha, type Picture, type Samples, samplesLike } from './picture.ts';
import { resizeBytes } from './resample-bytes.ts';

/** Width, height and channels of interleaved samples. */
interface Size {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Rows of pixels to `to` pixels wide. */
function floatsAcross(source: Samples, size: Size, to: number, weights: Weights): Float32Array {
  const { width, height, channels } = size;
  const { first, taps, stride, values } = weights;
  const out = new Float32Array(height * to * channels);
  let o = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < to; x++) {
      const k0 = x * stride;
      const k1 = k0 + taps[x]!;
      const start = (y * width + first[x]!) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = k0, i = start + c; k < k1; k++, i += channels) sum += values[k]! * source[i]!;
        out[o++] = sum;
      }
    }
  }
  return out;
}

/** Columns to `to` rows; a row is `rowLength` samples. */
function floatsDown(
  source: Float32Array,
  rowLength: number,
  to: number,
  weights: Weights,
): Float32Array {
  const { first, taps, stride, values } = weights;
  const out = new Float32Array(to * rowLength);
  const sums = new Float64Array(rowLength);
  for (let y = 0; y < to; y++) {
    sums.fill(0);
    for (let k = 0; k < taps[y]!; k++) {
      const w = values[y * stride + k]!;
      for (let x = 0, i = (first[y]! + k) * rowLength; x < rowLength; x++, i++) {
        sums[x]! += w * source[i]!;
      }
    }
    out.set(sums, y * rowLength);
  }
  return out;
}

/** The passes from one size to another; a direction that keeps its size has none. */
function passes(
  from: { readonly width: number; readonly height: number },
  width: number,
  height: number,
  filter: Filter,
): { horizontal: Pass | undefined; vertical: Pass | undefined } {
  const pass = (size: number, to: number): Pass | undefined =>
    size === to ? undefined : { to, weights: filterWeights(size, to, filter) };
  return { horizontal: pass(from.width, width), vertical: pass(from.height, height) };
}

function resizeByPasses(
  data: Samples,
  size: Size,
  horizontal: Pass | undefined,
  vertical: Pass | undefined,
): Float32Array {
  const across = horizontal
    ? floatsAcross(data, size, horizontal.to, horizontal.weights)
    : Float32Array.from(data);
  if (!vertical) return across;
  const rowLength = (horizontal?.to ?? size.width) * size.channels;
  return floatsDown(across, rowLength, vertical.to, vertical.weights);
}

/**
 * Interleaved samples of any depth resized in floating point: nothing is rounded or clipped.
 *
 * @param data `height * width * channels` samples.
 * @returns `toHeight * toWidth * channels` values on the scale of `data`.
 */
export function resizeFloats(
  data: Samples,
  size: Size,
  toWidth: number,
  toHeight: number,
  filter: Filter,
): Float32Array {
  const { horizontal, vertical } = passes(size, toWidth, toHeight, filter);
  return resizeByPasses(data, size, horizontal, vertical);
}

/** Values on the scale of `like` as its samples, clipped, integers rounded to the nearest. */
function quantise<S extends Samples>(values: Float32Array, like: S): S {
  const scale = fullScale(like);
  const half = scale > 1 ? 0.5 : 0;
  const out = samplesLike(like, values.length);
  for (let i = 0; i < out.length; i++) {
    const v = values[i]!;
    out[i] = (v < 0 ? 0 : v > scale ? scale : v) + half;
  }
  return out;
}

/** Colour times alpha, alpha beside it: what may be averaged without dark or coloured fringes. */
function premultiply({ channels, data }: Picture): Float32Array {
  const scale = fullScale(data);
  const out = Float32Array.from(data);
  for (let a = channels - 1; a < out.length; a += channels) {
    for (let i = a - channels + 1; i < a; i++) out[i]! *= out[a]! / scale;
  }
  return out;
}

/** Undoes `premultiply` in place; `straight` is the colour of pixels that nothing shows of. */
function unpremultiply(
  values: Float32Array,
  straight: Float32Array,
  channels: number,
  scale: number,
): void {
  for (let a = channels - 1; a < values.length; a += channels) {
    const alpha = values[a]! / scale;
    for (let i = a - channels + 1; i < a; i++) {
      if (alpha > 0.5 / 255) values[i]! /= alpha;
      else values[i] = straight[i]!;
    }
  }
}

function resizePicture(
  picture: Picture,
  horizontal: Pass | undefined,
  vertical: Pass | undefined,
): Picture {
  const { channels, data } = picture;
  const width = horizontal?.to ?? picture.width;
  const height = vertical?.to ?? picture.height;
  if (!horizontal && !vertical) return picture;
  if (data instanceof Uint8Array && !hasAlpha(picture)) {
    return { width, height, channels, data: resizeBytes(data, picture, horizontal, vertical) };
  }
  const straight = resizeByPasses(data, picture, horizontal, vertical);
  if (!hasAlpha(picture)) return { width, height, channels, data: quantise(straight, data) };
  const values = resizeByPasses(premultiply(picture), picture, horizontal, vertical);
  unpremultiply(values, straight, channels, fullScale(data));
  return { width, height, channels, data: quantise(values, data) };
}

/**
 * A picture at another size. Bytes without alpha come out exactly as from Pillow's `Image.resize`
 * (before Pillow 13, which goes down first where that is shorter); other depths by the same filters
 * without rounding in between, clipped to their range. Colour is averaged by its alpha.
 *
 * @param width output pixels, at least 1.
 * @param height output pixels, at least 1.
 * @returns a picture of the same depth and channels; the same one when the size does not change.
 * @throws UsageError when a size is not a positive integer.
 */
export function resize(
  picture: Picture,
  width: number,
  height: number,
  filter: Filter = 'bicubic',
): Picture {
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new UsageError(`resize: expected a size of at least 1x1, got ${width}x${height}.`);
  }
  const { horizontal, vertical } = passes(picture, width, height, filter);
  return resizePicture(picture, horizontal, vertical);
}

/** `resize` for a picture that is not in memory: some rows at a time, with the same samples. */
export class BandResizer {
  readonly #horizontal: Pass | undefined;
  readonly #vertical: Pass | undefined;

  constructor(
    from: { readonly width: number; readonly height: number },
    width: number,
    height: number,
    filter: Filter = 'bicubic',
  ) {
    const { horizontal, vertical } = passes(from, width, height, filter);
    this.#horizontal = horizontal;
    this.#vertical = vertical;
  }

  /** The half-open range of source rows that output rows `from` to `to` are made of. */
  needs(from: number, to: number): { readonly from: number; readonly to: number } {
    if (!this.#vertical) return { from, to };
    const { first, taps } = this.#vertical.weights;
    return { from: first[from]!, to: first[to - 1]! + taps[to - 1]! };
  }

  /**
   * Output rows `from` to `to`.
   *
   * @param source source rows of which the first is row `top` of the whole, at least those needed
   */
  rows(source: Picture, top: number, from: number, to: number): Picture {
    const { from: first, to: end } = this.needs(from, to);
    const row = source.width * source.channels;
    const data = source.data.subarray((first - top) * row, (end - top) * row);
    const vertical = this.#vertical && slicePass(this.#vertical, from, to, first);
    return resizePicture({ ...source, height: end - first, data }, this.#horizontal, vertical);
  }
}

/**
 * The network's input as the official program makes it: bicubic by `scale`, then Lanczos down to
 * sides that are multiples of 8.
 *
 * @param processSize when given (the official default is 512), inputs with a side under
 *   `processSize / scale` are first enlarged until their shorter side has that length; the official
 *   program does so and never takes it back.
 * @throws ShapeError when a side comes out shorter than 8.
 * @see OSEDiff's `test_osediff.py`
 */
export function resizeLikeOfficial(picture: Picture, scale: number, processSize?: number): Picture {
  let input = picture;
  if (processSize !== undefined) {
    const least = Math.floor(processSize / scale);
    const shorter = Math.min(input.width, input.height);
    if (shorter < least) {
      const enlargement = least / shorter;
      const width = Math.trunc(enlargement * input.width);
      const height = Math.trunc(enlargement * input.height);
      input = resize(input, width, height);
    }
  }
  const large = resize(input, Math.round(input.width * scale), Math.round(input.height * scale));
  const width = large.width - (large.width % 8);
  const height = large.height - (large.height % 8);
  if (width === 0 || height === 0) {
    throw new ShapeError(
      `resize: expected at least 8x8 output pixels, got ${large.width}x${large.height}. Pad the picture or enlarge it more.`,
    );
  }
  return resize(large, width, height, 'lanczos');
}

/** A picture averaged down to `width` by `height`: every source pixel weighs by the area it lends. */
export function reduceByArea(picture: Picture, width: number, height: number): Picture {
  if (width > picture.width || height > picture.height) {
    throw new UsageError(
      `reduceByArea: expected at most ${picture.width}x${picture.height}, got ${width}x${height}. Use resize to enlarge.`,
    );
  }
  return resize(picture, width, height, 'area');
}
