/** @file Pictures as interleaved samples, and the planes networks see (torchvision `ToTensor` and `ToPILImage`). */
import { ShapeError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Samples of one depth: bytes 0..255, 16-bit 0..65535, or floats 0..1. */
export type Samples = Uint8Array | Uint16Array | Float32Array;

/** Grey, grey and alpha, RGB, RGB and alpha. */
export type Channels = 1 | 2 | 3 | 4;

/** A picture in memory: rows from the top, pixels interleaved, sRGB-encoded, alpha last and straight. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly data: Samples;
}

/** A rectangle of whole pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** How a real value becomes an integer sample: the nearest one, or cut off as the official program does. */
export type Rounding = 'round' | 'truncate';

/** Values of planes: `signed` is [-1, 1], what networks take and give; `unit` is [0, 1]. */
export type Range = 'signed' | 'unit';

/**
 * A picture over `data`, which is not copied.
 *
 * @throws ShapeError when sizes are not positive integers, channels not 1..4, or `data` is not as long
 *   as they say.
 */
export function makePicture(
  width: number,
  height: number,
  channels: Channels,
  data: Samples,
): Picture {
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new ShapeError(
      `picture: expected a width and height of at least 1, got ${width}x${height}.`,
    );
  }
  if (![1, 2, 3, 4].includes(channels)) {
    throw new ShapeError(`picture: expected 1 to 4 channels, got ${channels as number}.`);
  }
  if (data.length !== width * height * channels) {
    throw new ShapeError(
      `picture: expected ${width * height * channels} samples for ${width}x${height}x${channels}, got ${data.length}.`,
    );
  }
  return { width, height, channels, data };
}

/** The sample that stands for 1: 255, 65535 or 1. */
export function fullScale(data: Samples): 255 | 65535 | 1 {
  if (data instanceof Uint8Array) return 255;
  return data instanceof Uint16Array ? 65535 : 1;
}

/** Zeroed samples of the same depth as `like`. */
export function samplesLike<S extends Samples>(like: S, length: number): S {
  return new (like.constructor as new (length: number) => S)(length);
}

/** Whether the last channel is alpha. */
export function hasAlpha(picture: Picture): boolean {
  return picture.channels % 2 === 0;
}

/** Channels that carry colour. */
export function colorChannels(picture: Picture): 1 | 3 {
  return picture.channels < 3 ? 1 : 3;
}

/** Channels `first` to `first + count` of a picture, copied. */
function pickChannels(picture: Picture, first: number, count: Channels): Picture {
  const { width, height, channels, data } = picture;
  const out = samplesLike(data, width * height * count);
  for (let i = first, o = 0; i < data.length; i += channels) {
    for (let c = 0; c < count; c++) out[o++] = data[i + c]!;
  }
  return { width, height, channels: count, data: out };
}

/** The picture without its alpha; itself when it has none. */
export function withoutAlpha(picture: Picture): Picture {
  return hasAlpha(picture) ? pickChannels(picture, 0, colorChannels(picture)) : picture;
}

/** The alpha of a picture as a grey one, or undefined when it has none. */
export function alphaOf(picture: Picture): Picture | undefined {
  return hasAlpha(picture) ? pickChannels(picture, picture.channels - 1, 1) : undefined;
}

/**
 * Colour (1 or 3 channels) and alpha (1 channel) of the same size and depth as one picture.
 *
 * @throws ShapeError when they do not fit together.
 */
export function withAlpha(color: Picture, alpha: Picture): Picture {
  const { width, height, channels, data } = color;
  if (
    hasAlpha(color) ||
    alpha.channels !== 1 ||
    alpha.width !== width ||
    alpha.height !== height ||
    fullScale(alpha.data) !== fullScale(data)
  ) {
    throw new ShapeError(
      `picture: expected colour and a one-channel alpha of one size and depth, got ${width}x${height}x${channels} of 0..${fullScale(data)} and ${alpha.width}x${alpha.height}x${alpha.channels} of 0..${fullScale(alpha.data)}.`,
    );
  }
  const out = samplesLike(data, width * height * (channels + 1));
  for (let p = 0, i = 0, o = 0; p < alpha.data.length; p++) {
    for (let c = 0; c < channels; c++) out[o++] = data[i++]!;
    out[o++] = alpha.data[p]!;
  }
  return { width, height, channels: (channels + 1) as Channels, data: out };
}

/** Every 8-bit sample in the float32 arithmetic of `ToTensor`: v / 255, and v / 255 * 2 - 1 when signed. */
function byteTable(range: Range): Float32Array {
  return Float32Array.from({ length: 256 }, (_, v) => {
    const unit = Math.fround(v / 255);
    return range === 'unit' ? unit : Math.fround(unit * 2) - 1;
  });
}

/**
 * Colour of a picture, or of a region of it, as planes; alpha is left out, grey fills all three.
 *
 * @returns RGB `[3, H, W]` in [-1, 1], or in [0, 1] when `range` is `unit`.
 * @throws ShapeError when the region does not lie inside the picture.
 */
export function toPlanes(
  picture: Picture,
  range: Range = 'signed',
  region: Region = { left: 0, top: 0, width: picture.width, height: picture.height },
): Tensor<'float32'> {
  const { channels, data } = picture;
  const { left, top, width, height } = region;
  if (left < 0 || top < 0 || left + width > picture.width || top + height > picture.height) {
    throw new ShapeError(
      `picture: expected a region inside ${picture.width}x${picture.height}, got ${width}x${height} at (${left}, ${top}).`,
    );
  }
  const area = width * height;
  const out = new Float32Array(3 * area);
  const table = data instanceof Uint8Array ? byteTable(range) : undefined;
  const gain = (range === 'signed' ? 2 : 1) / fullScale(data);
  const offset = range === 'signed' ? -1 : 0;
  const step = colorChannels(picture) === 3 ? 1 : 0;
  for (let c = 0; c < 3; c++) {
    let o = c * area;
    for (let y = top; y < top + height; y++) {
      let i = (y * picture.width + left) * channels + c * step;
      const end = o + width;
      if (table) for (; o < end; o++, i += channels) out[o] = table[data[i]!]!;
      else for (; o < end; o++, i += channels) out[o] = data[i]! * gain + offset;
    }
  }
  return tensor('float32', [3, height, width], out);
}

/** What planes become: which samples, colour or grey, and how they are rounded. */
export interface PlanesTarget {
  /** An array of the wanted depth; only its type is looked at. */
  readonly like: Samples;
  /** 1 averages the three planes. */
  readonly channels: 1 | 3;
  readonly range?: Range;
  readonly rounding?: Rounding;
}

/**
 * Planes as a picture without alpha. Values outside the range are clamped; the arithmetic is
 * float32, as in `ToPILImage`, so that cut-off bytes match the official program's.
 *
 * @param planes RGB `[3, H, W]` in [-1, 1], or in [0, 1] when `range` is `unit`.
 * @throws ShapeError when `planes` has another shape.
 */
export function fromPlanes(planes: Tensor<'float32'>, target: PlanesTarget): Picture {
  const [three, height, width] = planes.shape;
  if (planes.shape.length !== 3 || three !== 3 || height === undefined || width === undefined) {
    throw new ShapeError(`picture: expected planes [3, H, W], got [${planes.shape.join(', ')}].`);
  }
  const { like, channels, range = 'signed', rounding = 'round' } = target;
  const area = width * height;
  const scale = fullScale(like);
  const gain = range === 'signed' ? 0.5 : 1;
  const offset = range === 'signed' ? 0.5 : 0;
  const half = scale > 1 && rounding === 'round' ? 0.5 : 0;
  const x = planes.data;
  const out = samplesLike(like, area * channels);
  for (let c = 0; c < channels; c++) {
    const base = c * area;
    for (let p = 0, o = c; p < area; p++, o += channels) {
      const value = channels === 3 ? x[base + p]! : (x[p]! + x[p + area]! + x[p + 2 * area]!) / 3;
      const unit = Math.fround(value * gain + offset);
      const clamped = unit < 0 ? 0 : unit > 1 ? 1 : unit;
      out[o] = Math.fround(clamped * scale) + half;
    }
  }
  return { width, height, channels, data: out };
}
