/**
 * @file Fourier transforms of square tiles for convolution: radix 4, decimated in frequency there
 * (Gentleman and Sande 1966) and the same steps undone on the way back, so that nothing is ever put
 * in digit order.
 */

/** A square of complex numbers, row by row. */
export interface Tile {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Transforms of tiles of one side. */
export interface TileTransform {
  readonly side: number;
  /** In place. Frequencies come scrambled and transposed, in the same order for every tile. */
  forward(tile: Tile): void;
  /** In place, undoes `forward` but for a factor of side^2. */
  inverse(tile: Tile): void;
}

/** A zeroed tile. */
export function makeTile(side: number): Tile {
  return { re: new Float64Array(side * side), im: new Float64Array(side * side) };
}

/** Transforms for tiles of a `side` that is a power of four. */
export function tileTransform(side: number): TileTransform {
  const angles = Float64Array.from({ length: side }, (_, k) => (-2 * Math.PI * k) / side);
  const cos = angles.map(Math.cos);
  const sin = angles.map(Math.sin);
  return {
    side,
    forward(tile) {
      for (let quarter = side / 4; quarter >= 1; quarter /= 4) split(tile, cos, sin, quarter);
      transpose(tile);
      for (let quarter = side / 4; quarter >= 1; quarter /= 4) split(tile, cos, sin, quarter);
    },
    inverse(tile) {
      for (let quarter = 1; quarter < side; quarter *= 4) join(tile, cos, sin, quarter);
      transpose(tile);
      for (let quarter = 1; quarter < side; quarter *= 4) join(tile, cos, sin, quarter);
    },
  };
}

/**
 * One step along the columns. With `w = exp(-2 pi i k / (4 quarter))`, rows a, b, c, d a `quarter` apart
 * become
 *
 *     a + c + (b + d),  (a - c - i(b - d)) w,  (a + c - (b + d)) w^2,  (a - c + i(b - d)) w^3
 *
 * Each butterfly takes whole rows: one set of factors and unit stride for all columns at once.
 */
function split({ re, im }: Tile, cos: Float64Array, sin: Float64Array, quarter: number): void {
  const side = cos.length;
  const gap = quarter * side;
  const step = side / (4 * quarter);
  for (let start = 0; start < side; start += 4 * quarter) {
    for (let k = 0; k < quarter; k++) {
      const c1 = cos[k * step]!;
      const s1 = sin[k * step]!;
      const c2 = cos[2 * k * step]!;
      const s2 = sin[2 * k * step]!;
      const c3 = cos[3 * k * step]!;
      const s3 = sin[3 * k * step]!;
      const first = (start + k) * side;
      for (let i = first; i < first + side; i++) {
        const j = i + gap;
        const l = j + gap;
        const m = l + gap;
        const sumRe = re[i]! + re[l]!;
        const sumIm = im[i]! + im[l]!;
        const p = re[i]! - re[l]!;
        const q = im[i]! - im[l]!;
        const otherRe = re[j]! + re[m]!;
        const otherIm = im[j]! + im[m]!;
        const u = im[j]! - im[m]!; // -i (b - d)
        const v = re[m]! - re[j]!;
        re[i] = sumRe + otherRe;
        im[i] = sumIm + otherIm;
        re[j] = (p + u) * c1 - (q + v) * s1;
        im[j] = (p + u) * s1 + (q + v) * c1;
        re[l] = (sumRe - otherRe) * c2 - (sumIm - otherIm) * s2;
        im[l] = (sumRe - otherRe) * s2 + (sumIm - otherIm) * c2;
        re[m] = (p - u) * c3 - (q - v) * s3;
        im[m] = (p - u) * s3 + (q - v) * c3;
      }
    }
  }
}

/** Undoes `split`, but for a factor of 4. */
function join({ re, im }: Tile, cos: Float64Array, sin: Float64Array, quarter: number): void {
  const side = cos.length;
  const gap = quarter * side;
  const step = side / (4 * quarter);
  for (let start = 0; start < side; start += 4 * quarter) {
    for (let k = 0; k < quarter; k++) {
      const c1 = cos[k * step]!;
      const s1 = -sin[k * step]!;
      const c2 = cos[2 * k * step]!;
      const s2 = -sin[2 * k * step]!;
      const c3 = cos[3 * k * step]!;
      const s3 = -sin[3 * k * step]!;
      const first = (start + k) * side;
      for (let i = first; i < first + side; i++) {
        const j = i + gap;
        const l = j + gap;
        const m = l + gap;
        const bRe = re[j]! * c1 - im[j]! * s1;
        const bIm = re[j]! * s1 + im[j]! * c1;
        const cRe = re[l]! * c2 - im[l]! * s2;
        const cIm = re[l]! * s2 + im[l]! * c2;
        const dRe = re[m]! * c3 - im[m]! * s3;
        const dIm = re[m]! * s3 + im[m]! * c3;
        const sumRe = re[i]! + cRe;
        const sumIm = im[i]! + cIm;
        const p = re[i]! - cRe;
        const q = im[i]! - cIm;
        const otherRe = bRe + dRe;
        const otherIm = bIm + dIm;
        const u = dIm - bIm; // i (b - d)
        const v = bRe - dRe;
        re[i] = sumRe + otherRe;
        im[i] = sumIm + otherIm;
        re[j] = p + u;
        im[j] = q + v;
        re[l] = sumRe - otherRe;
        im[l] = sumIm - otherIm;
        re[m] = p - u;
        im[m] = q - v;
      }
    }
  }
}

function transpose({ re, im }: Tile): void {
  const side = Math.sqrt(re.length);
  for (let y = 0; y < side; y++) {
    for (let i = y * side + y + 1, j = i + side - 1; i < (y + 1) * side; i++, j += side) {
      const x = re[i]!;
      re[i] = re[j]!;
      re[j] = x;
      const z = im[i]!;
      im[i] = im[j]!;
      im[j] = z;
    }
  }
}
