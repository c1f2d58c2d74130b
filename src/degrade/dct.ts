/** @file The 8x8 cosine transform of JPEG (ITU-T T.81, A.3.3), by rows and columns. */

/** `basis[8 u + x] = c(u)/2 cos((2x + 1) u pi / 16)`, c(0) = 1/sqrt 2, else 1: orthonormal rows. */
const basis = new Float64Array(64);
for (let u = 0; u < 8; u++) {
  for (let x = 0; x < 8; x++) {
    basis[8 * u + x] =
      (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
  }
}

const half = new Float64Array(64);

/**
 * Frequencies of a block.
 *
 * @param plane samples, `stride` a row; the block's first one at `start`
 * @param block 64 frequencies, by vertical, then horizontal frequency
 */
export function blockForward(
  plane: Float64Array,
  start: number,
  stride: number,
  block: Float64Array,
): void {
  for (let row = 0; row < 8; row++) forward(plane, start + row * stride, 1, half, 8 * row, 1);
  for (let column = 0; column < 8; column++) forward(half, column, 8, block, column, 8);
}

/** Samples of a block from its frequencies: undoes `blockForward`. */
export function blockInverse(
  block: Float64Array,
  plane: Float64Array,
  start: number,
  stride: number,
): void {
  for (let column = 0; column < 8; column++) inverse(block, column, 8, half, column, 8);
  for (let row = 0; row < 8; row++) inverse(half, 8 * row, 1, plane, start + row * stride, 1);
}

/** Cosines of even order are symmetric about the middle, odd ones antisymmetric: 32 products, not 64. */
function forward(
  from: Float64Array,
  i: number,
  step: number,
  to: Float64Array,
  o: number,
  gap: number,
): void {
  const a = from[i]!;
  const b = from[i + step]!;
  const c = from[i + 2 * step]!;
  const d = from[i + 3 * step]!;
  const e = from[i + 4 * step]!;
  const f = from[i + 5 * step]!;
  const g = from[i + 6 * step]!;
  const h = from[i + 7 * step]!;
  for (let u = 0; u < 8; u += 2) {
    const k = 8 * u;
    to[o + u * gap] =
      basis[k]! * (a + h) +
      basis[k + 1]! * (b + g) +
      basis[k + 2]! * (c + f) +
      basis[k + 3]! * (d + e);
    to[o + (u + 1) * gap] =
      basis[k + 8]! * (a - h) +
      basis[k + 9]! * (b - g) +
      basis[k + 10]! * (c - f) +
      basis[k + 11]! * (d - e);
  }
}

/** The transposed matrix, with the same symmetry. */
function inverse(
  from: Float64Array,
  i: number,
  step: number,
  to: Float64Array,
  o: number,
  gap: number,
): void {
  const a = from[i]!;
  const b = from[i + step]!;
  const c = from[i + 2 * step]!;
  const d = from[i + 3 * step]!;
  const e = from[i + 4 * step]!;
  const f = from[i + 5 * step]!;
  const g = from[i + 6 * step]!;
  const h = from[i + 7 * step]!;
  for (let x = 0; x < 4; x++) {
    const even = basis[x]! * a + basis[16 + x]! * c + basis[32 + x]! * e + basis[48 + x]! * g;
    const odd = basis[8 + x]! * b + basis[24 + x]! * d + basis[40 + x]! * f + basis[56 + x]! * h;
    to[o + x * gap] = even + odd;
    to[o + (7 - x) * gap] = even - odd;
  }
}
