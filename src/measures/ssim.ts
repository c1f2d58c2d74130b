/** @file SSIM on Y of BT.601 (Wang 2004), in the variant that the paper's Table 1 was made with. */
import { ShapeError } from '../tensor/errors.ts';
import { roundHalfEven, studioLuma } from './luma.ts';
import { requireSameSize, type Rgb } from './rgb.ts';

const size = 11;
const sigma = 1.5;
const c1 = (0.01 * 255) ** 2;
const c2 = (0.03 * 255) ** 2;

const [w0, w1, w2, w3, w4, w5] = taps();

/**
 * Structural similarity, at most 1, larger is better.
 *
 * Y in whole levels, a Gaussian window of 11x11 (sigma 1.5) wherever it lies wholly inside, and the
 * contrast-structure term cut off at 0 from below:
 *
 *     mean((2 mx my + C1) / (mx^2 + my^2 + C1) * max(0, (2 sxy + C2) / (sx^2 + sy^2 + C2)))
 *
 * @throws ShapeError when the sizes differ, or a side is below 11 pixels.
 */
export function ssim(result: Rgb, reference: Rgb): number {
  requireSameSize('ssim', result, reference);
  const { width, height } = result;
  if (width < size || height < size) {
    throw new ShapeError(
      `ssim: expected a picture of at least ${size}x${size} pixels, got ${width}x${height}.`,
    );
  }
  const x = studioLuma(result).map(roundHalfEven);
  const y = studioLuma(reference).map(roundHalfEven);
  const columns = width - size + 1;
  // The last 11 rows filtered along x, of the maps x, y, x^2 + y^2 and xy: the sum of the two
  // variances is all that the formula needs.
  const ring = maps(size * columns);
  const row = maps(width);
  let sum = 0;
  for (let i = 0; i < height; i++) {
    fillRow(row, x, y, i * width);
    for (const [k, map] of row.entries()) filterRow(map, ring[k]!, (i % size) * columns, columns);
    if (i >= size - 1) sum += sumOfRow(ring, i, columns);
  }
  return sum / (columns * (height - size + 1));
}

type Maps = readonly [Float64Array, Float64Array, Float64Array, Float64Array];

function maps(length: number): Maps {
  const make = (): Float64Array => new Float64Array(length);
  return [make(), make(), make(), make()];
}

function fillRow([mx, my, ss, sp]: Maps, x: Float64Array, y: Float64Array, from: number): void {
  for (let i = 0; i < mx.length; i++) {
    const a = x[from + i]!;
    const b = y[from + i]!;
    mx[i] = a;
    my[i] = b;
    ss[i] = a * a + b * b;
    sp[i] = a * b;
  }
}

function filterRow(row: Float64Array, out: Float64Array, to: number, columns: number): void {
  for (let c = 0; c < columns; c++) {
    out[to + c] =
      w0 * row[c + 5]! +
      w1 * (row[c + 4]! + row[c + 6]!) +
      w2 * (row[c + 3]! + row[c + 7]!) +
      w3 * (row[c + 2]! + row[c + 8]!) +
      w4 * (row[c + 1]! + row[c + 9]!) +
      w5 * (row[c]! + row[c + 10]!);
  }
}

/** Filters the ring along y, its newest row being `last`, and adds up the index over the result. */
function sumOfRow(ring: Maps, last: number, columns: number): number {
  const start = (back: number): number => ((last - back) % size) * columns;
  const [a, b, c, d, e] = [start(0), start(1), start(2), start(3), start(4)];
  const [f, g, h, i, j, k] = [start(5), start(6), start(7), start(8), start(9), start(10)];
  const column = (map: Float64Array, n: number): number =>
    w0 * map[f + n]! +
    w1 * (map[e + n]! + map[g + n]!) +
    w2 * (map[d + n]! + map[h + n]!) +
    w3 * (map[c + n]! + map[i + n]!) +
    w4 * (map[b + n]! + map[j + n]!) +
    w5 * (map[a + n]! + map[k + n]!);
  const [mapX, mapY, squares, products] = ring;
  let sum = 0;
  for (let n = 0; n < columns; n++) {
    const mx = column(mapX, n);
    const my = column(mapY, n);
    const both = mx * my;
    const energy = mx * mx + my * my;
    const contrast = (2 * (column(products, n) - both) + c2) / (column(squares, n) - energy + c2);
    if (contrast > 0) sum += ((2 * both + c1) / (energy + c1)) * contrast;
  }
  return sum;
}

/**
 * Weights of the window from the middle outward.
 *
 * The published scores come from a two-dimensional window in float32. Its rounding errors hardly
 * matter one by one, but their sum, -6e-9, adds to both variances wherever a picture is bright: a
 * separable window of the same sum gives the same scores.
 */
function taps(): [number, number, number, number, number, number] {
  const gaussian = Array.from({ length: size }, (_, i) =>
    Math.exp(-((i - 5) ** 2) / (2 * sigma ** 2)),
  );
  const total = gaussian.reduce((sum, v) => sum + v, 0);
  let rounded = 0;
  for (const a of gaussian) {
    for (const b of gaussian) rounded += Math.fround((a / total) * (b / total));
  }
  const tap = (k: number): number => (gaussian[5 + k]! / total) * Math.sqrt(rounded);
  return [tap(0), tap(1), tap(2), tap(3), tap(4), tap(5)];
}
