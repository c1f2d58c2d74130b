/** @file Blending weights along one axis: smoothstep ramps over the overlaps, normalised to 1. */

/**
 * Weights of tiles that lie along one axis.
 *
 * Over an overlap of v pixels the weight is 0 for `halo` pixels, rises by smoothstep
 * (3u^2 - 2u^3, flat at both ends) for v - 2 halo and stays 1; the neighbour's falls the same way.
 * Where more than two tiles overlap, division by the sum keeps the total at 1.
 *
 * @param starts first pixel of each tile, rising, every overlap at least twice the halo
 * @param length pixels a tile
 * @returns one array of `length` a tile; the last tiles mirror the first bit for bit when the
 *   starts do
 */
export function axisWeights(
  starts: readonly number[],
  length: number,
  halo: number,
): Float32Array[] {
  const raw = starts.map((start, i) => {
    const before = i > 0 ? starts[i - 1]! + length - start : 0;
    const after = i + 1 < starts.length ? start + length - starts[i + 1]! : 0;
    return Float64Array.from({ length }, (_, k) => {
      return ramp(k, before, halo) * ramp(length - 1 - k, after, halo);
    });
  });
  return raw.map((window, i) => {
    const normal = new Float32Array(length);
    for (let k = 0; k < length; k++) {
      if (window[k]! > 0) normal[k] = window[k]! / totalAt(starts[i]! + k, starts, raw);
    }
    return normal;
  });
}

/** Weight of the pixel `k` steps inside an edge whose overlap is `overlap` pixels; 1 without one. */
function ramp(k: number, overlap: number, halo: number): number {
  if (overlap <= 0 || k >= overlap - halo) return 1;
  if (k < halo) return 0;
  const u = (k - halo + 0.5) / (overlap - 2 * halo);
  return u * u * (3 - 2 * u);
}

/** Sum of all raw weights at one pixel, from the outermost tiles inwards so that it mirrors. */
function totalAt(pixel: number, starts: readonly number[], raw: readonly Float64Array[]): number {
  let total = 0;
  const last = starts.length - 1;
  for (let i = 0; i <= last - i; i++) {
    const left = raw[i]![pixel - starts[i]!] ?? 0;
    const right = i === last - i ? 0 : (raw[last - i]![pixel - starts[last - i]!] ?? 0);
    total += left + right;
  }
  return total;
}

/** The half-open range of non-zero weights. */
export function weightedRange(weights: Float32Array): { from: number; to: number } {
  const from = weights.findIndex((weight) => weight > 0);
  const to = weights.findLastIndex((weight) => weight > 0) + 1;
  return { from, to };
}
