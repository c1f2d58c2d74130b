/** @file Local mean taken away, local deviation divided out: NIQE's look at a picture (Ruderman 1994). */
import type { Plane } from './halve.ts';

const radius = 3;
const sigma = 7 / 6;

// prettier-ignore
type Ten = readonly [number, number, number, number, number, number, number, number, number, number];

/**
 * The window of 7x7 from its middle outward, [row][column], rounded to float32 as in the published
 * scores. It is not separable then, and its sum, 1 + 1.1e-8, decides on which side of zero the values
 * of flat areas fall.
 */
const w = windowQuarter();

/**
 * `(x - mean) / (deviation + 1)` and the deviation, under a Gaussian window, borders repeated.
 *
 * @param plane levels 0..255
 */
export function normalize({ width, height, data }: Plane): {
  normalized: Plane;
  deviation: Plane;
} {
  const squares = data.map((v) => v * v);
  const normalized = new Float64Array(data.length);
  const deviation = new Float64Array(data.length);
  const [means, meanSquares] = [new Float64Array(width), new Float64Array(width)];
  const folded = Array.from({ length: radius + 1 }, () => new Float64Array(width + 2 * radius));
  for (let row = 0; row < height; row++) {
    filterRow(data, width, height, row, folded, means);
    filterRow(squares, width, height, row, folded, meanSquares);
    for (let column = 0; column < width; column++) {
      const i = row * width + column;
      const mean = means[column]!;
      const spread = Math.sqrt(Math.abs(meanSquares[column]! - mean * mean) + 2.2e-16);
      deviation[i] = spread;
      normalized[i] = (data[i]! - mean) / (spread + 1);
    }
  }
  return {
    normalized: { width, height, data: normalized },
    deviation: { width, height, data: deviation },
  };
}

/**
 * One row under the window. The window is the same mirrored either way and transposed, so samples of
 * one weight are added before they are weighed: 10 products a pixel rather than 49.
 */
function filterRow(
  data: Float64Array,
  width: number,
  height: number,
  row: number,
  folded: readonly Float64Array[],
  out: Float64Array,
): void {
  for (let k = 0; k <= radius; k++) foldRows(data, width, height, row, k, folded[k]!);
  const [r0, r1, r2, r3] = folded as [Float64Array, Float64Array, Float64Array, Float64Array];
  const [w00, w01, w02, w03, w11, w12, w13, w22, w23, w33] = w;
  for (let c = 0; c < width; c++) {
    out[c] =
      w00 * r0[c + 3]! +
      w01 * (r0[c + 2]! + r0[c + 4]! + r1[c + 3]!) +
      w02 * (r0[c + 1]! + r0[c + 5]! + r2[c + 3]!) +
      w03 * (r0[c]! + r0[c + 6]! + r3[c + 3]!) +
      w11 * (r1[c + 2]! + r1[c + 4]!) +
      w12 * (r1[c + 1]! + r1[c + 5]! + r2[c + 2]! + r2[c + 4]!) +
      w13 * (r1[c]! + r1[c + 6]! + r3[c + 2]! + r3[c + 4]!) +
      w22 * (r2[c + 1]! + r2[c + 5]!) +
      w23 * (r2[c]! + r2[c + 6]! + r3[c + 1]! + r3[c + 5]!) +
      w33 * (r3[c]! + r3[c + 6]!);
  }
}

/** The sum of the rows `k` above and below `row`, with three repeated samples at either end. */
function foldRows(
  data: Float64Array,
  width: number,
  height: number,
  row: number,
  k: number,
  out: Float64Array,
): void {
  const above = Math.max(row - k, 0) * width;
  const below = Math.min(row + k, height - 1) * width;
  for (let c = 0; c < width; c++) {
    out[c + radius] = k === 0 ? data[above + c]! : data[above + c]! + data[below + c]!;
  }
  out.fill(out[radius]!, 0, radius);
  out.fill(out[width + radius - 1]!, width + radius);
}

function windowQuarter(): Ten {
  const gaussian = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = gaussian.reduce((sum, v) => sum + v, 0) ** 2;
  const at = (i: number, j: number): number =>
    Math.fround((gaussian[radius + i]! * gaussian[radius + j]!) / total);
  return [
    at(0, 0),
    at(0, 1),
    at(0, 2),
    at(0, 3),
    at(1, 1),
    at(1, 2),
    at(1, 3),
    at(2, 2),
    at(2, 3),
    at(3, 3),
  ];
}
