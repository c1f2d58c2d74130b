/** @file Y'CbCr of yuv4mpeg to RGB and back (ITU-R BT.601 and BT.709), chroma resampled bilinearly. */
import type { Picture } from 'osediff';

/** How the planes of a stream are to be read. */
export interface YuvFormat {
  /** Input pixels a chroma sample covers. */
  readonly subX: 1 | 2 | 4;
  readonly subY: 1 | 2;
  /** Whether chroma samples lie over the left of their pixels rather than between them. */
  readonly leftSited: boolean;
  readonly depth: number;
  readonly full: boolean;
  readonly matrix: 'bt601' | 'bt709';
  readonly gray: boolean;
}

const weights = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] } as const;

type Plane = Uint8Array | Uint16Array;

/** Samples of luma and of one chroma plane. */
export function planeSizes(
  width: number,
  height: number,
  { subX, subY, gray }: YuvFormat,
): number[] {
  const chroma = Math.ceil(width / subX) * Math.ceil(height / subY);
  return gray ? [width * height] : [width * height, chroma, chroma];
}

/** Bytes of a frame. */
export function frameBytes(width: number, height: number, format: YuvFormat): number {
  const samples = planeSizes(width, height, format).reduce((sum, size) => sum + size, 0);
  return samples * (format.depth > 8 ? 2 : 1);
}

function planesOf(bytes: Buffer, width: number, height: number, format: YuvFormat): Plane[] {
  const step = format.depth > 8 ? 2 : 1;
  let at = bytes.byteOffset;
  return planeSizes(width, height, format).map((size) => {
    const plane =
      step === 2 ? new Uint16Array(bytes.buffer, at, size) : new Uint8Array(bytes.buffer, at, size);
    at += size * step;
    return plane;
  });
}

/** Levels of black, and of white over black, and of chroma's whole range. */
function levels({ depth, full }: YuvFormat): { black: number; luma: number; chroma: number } {
  const unit = 2 ** (depth - 8);
  const top = 2 ** depth - 1;
  return full
    ? { black: 0, luma: top, chroma: top }
    : { black: 16 * unit, luma: 219 * unit, chroma: 224 * unit };
}

/**
 * A frame as a picture: 8 bits for 8, 16 bits for more; grey for grey.
 *
 * @param bytes planes one after another, little-endian, in a buffer of their own
 */
export function toPicture(
  bytes: Buffer,
  width: number,
  height: number,
  format: YuvFormat,
): Picture {
  const [luma, cb, cr] = planesOf(bytes, width, height, format);
  const { black, luma: range, chroma } = levels(format);
  const middle = 2 ** (format.depth - 1);
  const scale = format.depth > 8 ? 65535 : 255;
  const channels = format.gray ? 1 : 3;
  const length = width * height * channels;
  const data = format.depth > 8 ? new Uint16Array(length) : new Uint8Array(length);
  const put = (at: number, value: number): void => {
    data[at] = Math.max(0, Math.min(scale, Math.round(value * scale)));
  };
  if (!cb || !cr) {
    for (let i = 0; i < length; i++) put(i, (luma![i]! - black) / range);
    return { width, height, channels: 1, data };
  }
  const [kr, kb] = weights[format.matrix];
  const kg = 1 - kr - kb;
  const columns = positions(width, format.subX, format.leftSited);
  const rows = positions(height, format.subY, false);
  const chromaWidth = Math.ceil(width / format.subX);
  for (let y = 0, o = 0; y < height; y++) {
    const [r0, r1, v] = rows[y]!;
    for (let x = 0; x < width; x++, o += 3) {
      const [c0, c1, u] = columns[x]!;
      const sample = (plane: Plane): number => {
        const top = plane[r0 * chromaWidth + c0]! * (1 - u) + plane[r0 * chromaWidth + c1]! * u;
        const bottom = plane[r1 * chromaWidth + c0]! * (1 - u) + plane[r1 * chromaWidth + c1]! * u;
        return (top * (1 - v) + bottom * v - middle) / chroma;
      };
      const luminance = (luma![y * width + x]! - black) / range;
      const blue = sample(cb) * 2 * (1 - kb);
      const red = sample(cr) * 2 * (1 - kr);
      put(o, luminance + red);
      put(o + 1, luminance - (kr * red + kb * blue) / kg);
      put(o + 2, luminance + blue);
    }
  }
  return { width, height, channels: 3, data };
}

/** For each pixel: the two chroma samples about it, and the share of the second. */
function positions(size: number, sub: number, sited: boolean): [number, number, number][] {
  const last = Math.ceil(size / sub) - 1;
  return Array.from({ length: size }, (_, i) => {
    const at = Math.max(0, Math.min(last, sited ? i / sub : (i + 0.5) / sub - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(last, first + 1), at - first];
  });
}

/** A picture as a frame: the inverse of `toPicture`, chroma averaged over the pixels it covers. */
export function fromPicture(picture: Picture, format: YuvFormat): Buffer {
  const { width, height, data } = picture;
  const bytes = Buffer.from(new ArrayBuffer(frameBytes(width, height, format)));
  const [luma, cb, cr] = planesOf(bytes, width, height, format);
  const { black, luma: range, chroma } = levels(format);
  const top = 2 ** format.depth - 1;
  const scale = format.depth > 8 ? 65535 : 255;
  const store = (plane: Plane, at: number, value: number): void => {
    plane[at] = Math.max(0, Math.min(top, Math.round(value)));
  };
  if (!cb || !cr) {
    for (let i = 0; i < data.length; i++) store(luma!, i, (data[i]! / scale) * range + black);
    return bytes;
  }
  const [kr, kb] = weights[format.matrix];
  const { subX, subY, leftSited } = format;
  const chromaWidth = Math.ceil(width / subX);
  const sums = [0, 1].map(() => new Float32Array(cb.length));
  const shares = new Float32Array(cb.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const [r, g, b] = [data[i]! / scale, data[i + 1]! / scale, data[i + 2]! / scale];
      const luminance = kr * r + (1 - kr - kb) * g + kb * b;
      store(luma!, y * width + x, luminance * range + black);
      const blue = (b - luminance) / (2 * (1 - kb));
      const red = (r - luminance) / (2 * (1 - kr));
      const row = Math.floor(y / subY) * chromaWidth;
      // Over the left pixel: a triangle about it, half of it from the pair before.
      const odd = leftSited && subX === 2 && x % 2 === 1;
      const column = Math.floor(x / subX);
      const targets = odd ? [column, Math.min(chromaWidth - 1, column + 1)] : [column];
      for (const target of targets) {
        const share = odd ? 0.5 : 1;
        sums[0]![row + target]! += blue * share;
        sums[1]![row + target]! += red * share;
        shares[row + target]! += share;
      }
    }
  }
  const middle = 2 ** (format.depth - 1);
  for (let i = 0; i < cb.length; i++) {
    store(cb, i, (sums[0]![i]! / shares[i]!) * chroma + middle);
    store(cr, i, (sums[1]![i]! / shares[i]!) * chroma + middle);
  }
  return bytes;
}
