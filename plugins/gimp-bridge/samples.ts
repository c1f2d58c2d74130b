/** @file Pixels as they lie in a client's memory to and from the pictures that upscalers take. */
import { float16ToFloat32, float32ToFloat16, type Picture } from 'osediff';
import { type Beyond, enlargeBeyond } from './beyond.ts';
import type { ResultFormat, SampleType, Transfer } from './protocol.ts';
import { inTurns } from './turns.ts';

/** How a client encodes its samples. */
export interface Encoding {
  readonly type: SampleType;
  readonly transfer: Transfer;
}

/** What an upscaler takes, and what it cannot take. */
export interface Unpacked {
  /** Encoded as sRGB is; floats in 0..1. */
  readonly picture: Picture;
  /** Highlights above 1 and colours below 0 of a picture of floats, before it was encoded. */
  readonly beyond: Beyond | undefined;
}

/** The brightest that infinity is taken for: the largest half. */
const brightest = 65504;

/**
 * Reads a client's pixels. Perceptual bytes and words are used where they lie; other samples become
 * floats. Takes turns with the event loop.
 *
 * @param data little-endian, rows from the top without padding, as many bytes as `format` says
 */
export async function unpack(
  data: ArrayBuffer,
  format: ResultFormat & Encoding,
  signal?: AbortSignal,
): Promise<Unpacked> {
  const { width, height, channels, type, transfer } = format;
  const samples = new arrays[type](data);
  if (transfer === 'perceptual' && (type === 'u8' || type === 'u16')) {
    const data = samples as Uint8Array | Uint16Array;
    return { picture: { width, height, channels, data }, beyond: undefined };
  }
  const values = new Float32Array(samples.length);
  let outside: Float32Array | undefined;
  await inTurns(values.length, signal, (start, end) => {
    values.set(floats(samples.subarray(start, end), type), start);
    for (let i = start; i < end; i++) {
      const value = finite(values[i]!);
      const inside = clamp(value);
      if (value !== inside) (outside ??= new Float32Array(values.length))[i] = value - inside;
      values[i] = transfer === 'linear' && isColor(i, channels) ? encode(inside) : inside;
    }
  });
  const beyond = outside && { width, height, channels, values: outside };
  return { picture: { width, height, channels, data: values }, beyond };
}

/**
 * An upscaled picture in the client's encoding: `unpack` reversed. Takes turns with the event loop.
 *
 * @param picture its samples are used up
 * @returns bytes, little-endian
 */
export async function pack(
  picture: Picture,
  { type, transfer }: Encoding,
  beyond: Beyond | undefined,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { data, channels } = picture;
  if (!(data instanceof Float32Array)) return bytesOf(data);
  const grown = beyond && (await enlargeBeyond(beyond, picture, signal));
  const out = type === 'float' ? data : new arrays[type](data.length);
  await inTurns(data.length, signal, (start, end) => {
    for (let i = start; i < end; i++) {
      const value = data[i]!;
      const light = transfer === 'linear' && isColor(i, channels) ? decode(value) : value;
      data[i] = grown ? light + grown[i]! : light;
    }
    if (out !== data) out.set(narrowed(data.subarray(start, end), type), start);
  });
  return bytesOf(out);
}

/** What holds the samples of each type; halves as their bits. */
const arrays = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  half: Uint16Array,
  float: Float32Array,
  double: Float64Array,
} as const;

/** What stands for 1. */
const fullScale = { u8: 255, u16: 65535, u32: 4294967295, half: 1, float: 1, double: 1 } as const;

type ClientSamples = Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;

/** Samples as they count: integers over their full scale. */
function floats(samples: ClientSamples, type: SampleType): Float32Array {
  if (type === 'half') return float16ToFloat32(samples as Uint16Array);
  const full = fullScale[type];
  return full === 1 ? new Float32Array(samples) : Float32Array.from(samples, (v) => v / full);
}

/** Floats as samples of another type, integers rounded to the nearest. */
function narrowed(values: Float32Array, type: SampleType): ArrayLike<number> {
  if (type === 'half') return float32ToFloat16(values);
  const full = fullScale[type];
  return full === 1 ? values : Float64Array.from(values, (v) => Math.round(clamp(v) * full));
}

/** Whether sample `i` is one of colour; alpha is the last of an even number of channels. */
function isColor(i: number, channels: number): boolean {
  return channels % 2 === 1 || i % channels !== channels - 1;
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 0 : Math.sign(value) * brightest;
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

/** Linear light to sRGB (IEC 61966-2-1). */
function encode(v: number): number {
  return v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
}

/** sRGB to linear light. */
function decode(v: number): number {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

function bytesOf(samples: ClientSamples): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}
