/** @file The pictures that measures look at: 8-bit RGB, as evaluation scripts read them from files. */
import { fullScale, type Picture, type Samples } from '../image/picture.ts';
import { ShapeError } from '../tensor/errors.ts';

/** RGB bytes, interleaved row by row, `[H, W, 3]`. */
export interface Rgb {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * The 8-bit RGB picture: grey is spread over three channels, alpha is dropped (not composited: that
 * is what the published scores did), deeper samples are rounded to bytes.
 */
export function toRgb(picture: Picture): Rgb {
  const { width, height, channels } = picture;
  const bytes = toBytes(picture.data);
  if (channels === 3) return { width, height, data: bytes };
  const data = new Uint8Array(width * height * 3);
  const [green, blue] = channels > 2 ? [1, 2] : [0, 0];
  for (let from = 0, to = 0; to < data.length; from += channels, to += 3) {
    data[to] = bytes[from]!;
    data[to + 1] = bytes[from + green]!;
    data[to + 2] = bytes[from + blue]!;
  }
  return { width, height, data };
}

function toBytes(samples: Samples): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  const scale = 255 / fullScale(samples);
  const bytes = new Uint8ClampedArray(samples.length); // rounds, and cuts off
  for (let i = 0; i < bytes.length; i++) bytes[i] = samples[i]! * scale;
  return new Uint8Array(bytes.buffer);
}

/**
 * @throws ShapeError when the two pictures are not of one size; `where` opens the message.
 */
export function requireSameSize(where: string, result: Rgb, reference: Rgb): void {
  if (result.width === reference.width && result.height === reference.height) return;
  throw new ShapeError(
    `${where}: expected ${reference.width}x${reference.height} pixels as in the reference, ` +
      `got ${result.width}x${result.height}.`,
  );
}
