/** @file Resizing of bytes in Pillow's fixed point, bit for bit (`Resample.c`, 8 bits a channel). */
import type { Pass, Weights } from './filters.ts';

/** Fraction bits of Pillow's 8-bit weights: 32 less 8 for the sample and 2 for overshoot and sign. */
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

/** Fixed-point weights, ties away from zero. */
function fixedPoint({ values }: Weights): Int32Array {
  return Int32Array.from(values, (w) => Math.trunc(w * 2 ** PRECISION_BITS + (w < 0 ? -0.5 : 0.5)));
}

/** Rows of `channels`-sample pixels from `from` to `to` pixels wide, each result a clipped byte. */
function bytesAcross(
  source: Uint8Array,
  rows: number,
  channels: number,
  from: number,
  to: number,
  weights: Weights,
): Uint8ClampedArray {
  const { first, taps, stride } = weights;
  const w = fixedPoint(weights);
  const out = new Uint8ClampedArray(rows * to * channels);
  let o = 0;
  for (let y = 0; y < rows; y++) {
    const row = y * from * channels;
    for (let x = 0; x < to; x++) {
      const k0 = x * stride;
      const k1 = k0 + taps[x]!;
      const start = row + first[x]! * channels;
      if (channels === 3) {
        let r = HALF;
        let g = HALF;
        let b = HALF;
        for (let k = k0, i = start; k < k1; k++, i += 3) {
          const wk = w[k]!;
          r = (r + Math.imul(wk, source[i]!)) | 0;
          g = (g + Math.imul(wk, source[i + 1]!)) | 0;
          b = (b + Math.imul(wk, source[i + 2]!)) | 0;
        }
        out[o] = r >> PRECISION_BITS;
        out[o + 1] = g >> PRECISION_BITS;
        out[o + 2] = b >> PRECISION_BITS;
        o += 3;
      } else {
        for (let c = 0; c < channels; c++) {
          let sum = HALF;
          for (let k = k0, i = start + c; k < k1; k++, i += channels) {
            sum = (sum + Math.imul(w[k]!, source[i]!)) | 0;
          }
          out[o++] = sum >> PRECISION_BITS;
        }
      }
    }
  }
  return out;
}

/** Columns from `source.length / rowLength` rows to `to`, each result a clipped byte. */
function bytesDown(
  source: Uint8Array | Uint8ClampedArray,
  rowLength: number,
  to: number,
  weights: Weights,
): Uint8ClampedArray {
  const { first, taps, stride } = weights;
  const w = fixedPoint(weights);
  const out = new Uint8ClampedArray(to * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < to; y++) {
    const n = taps[y]!;
    sums.fill(HALF);
    // Four rows a sweep: the running sums are touched a quarter as often. A missing row weighs 0.
    for (let k = 0; k < n; k += 4) {
      const at = (j: number): number => (first[y]! + Math.min(k + j, n - 1)) * rowLength;
      const weight = (j: number): number => (k + j < n ? w[y * stride + k + j]! : 0);
      const [i0, i1, i2, i3] = [at(0), at(1), at(2), at(3)];
      const [w0, w1, w2, w3] = [weight(0), weight(1), weight(2), weight(3)];
      for (let x = 0; x < rowLength; x++) {
        const upper = Math.imul(w0, source[i0 + x]!) + Math.imul(w1, source[i1 + x]!);
        const lower = Math.imul(w2, source[i2 + x]!) + Math.imul(w3, source[i3 + x]!);
        sums[x] = (sums[x]! + upper + lower) | 0;
      }
    }
    for (let x = 0, o = y * rowLength; x < rowLength; x++, o++) out[o] = sums[x]! >> PRECISION_BITS;
  }
  return out;
}

/**
 * Interleaved bytes resized: across first, rounded to bytes, then down, as Pillow does; a direction
 * that keeps its size is left out.
 *
 * @param data `height * width * channels` bytes, straight from the top left.
 * @returns as many rows and columns as the passes lead to; `data` itself when nothing changes.
 */
export function resizeBytes(
  data: Uint8Array,
  size: { readonly width: number; readonly height: number; readonly channels: number },
  horizontal: Pass | undefined,
  vertical: Pass | undefined,
): Uint8Array {
  const { width, height, channels } = size;
  const across = horizontal
    ? bytesAcross(data, height, channels, width, horizontal.to, horizontal.weights)
    : data;
  const rowLength = (horizontal?.to ?? width) * channels;
  const down = vertical ? bytesDown(across, rowLength, vertical.to, vertical.weights) : across;
  return new Uint8Array(down.buffer, down.byteOffset, down.length);
}
