/** @file The official program's tiles of latents and their Gaussian weights (osediff.md section 1, "Tiling"). */

export interface LatentTiling {
  /** Edge of a tile, in latents. */
  readonly tile: number;
  readonly overlap: number;
}

/** The official settings: tiles of 96 latents with 32 of overlap. */
export const publishedTiling: LatentTiling = { tile: 96, overlap: 32 };

/** First latents of the tiles along an axis; the last tile is moved back to end at the border. */
export function tileStarts(size: number, { tile, overlap }: LatentTiling): number[] {
  const stride = tile - overlap;
  const count = Math.max(1, Math.ceil((size - tile) / stride) + 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? size - tile : i * stride));
}

/**
 * Weights of a tile: a Gaussian of variance 0.01 relative to the edge, whose middle lies at
 * (n - 1) / 2 along x but at n / 2 along y, as in the official code.
 *
 * @returns `[n, n]`
 */
export function gaussianWeights(n: number): Float64Array {
  const variance = 0.01;
  const bell = (i: number, middle: number): number =>
    Math.exp(-((i - middle) ** 2) / (n * n) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);
  return Float64Array.from({ length: n * n }, (_, i) => {
    const [y, x] = [Math.floor(i / n), i % n];
    return bell(y, n / 2) * bell(x, (n - 1) / 2);
  });
}
