/** @file The à trous wavelet split: five levels of a dilated binomial blur (Holschneider 1989; StableSR). */

/** Dilations of the five blurs. */
export const WAVELET_DILATIONS = [1, 2, 4, 8, 16] as const;

/** How many pixels away a low frequency still feels a sample: the sum of the dilations. */
export const WAVELET_REACH = 31;

/**
 * One level: [1, 2, 1] / 4 down and across with `step` between the taps, borders repeated. The same
 * as the 3x3 kernel [1, 2, 1; 2, 4, 2; 1, 2, 1] / 16.
 *
 * @param line scratch of `width + 2 * step` values
 */
function blur(
  x: Float32Array,
  out: Float32Array,
  width: number,
  height: number,
  step: number,
  line: Float32Array,
): void {
  for (let y = 0; y < height; y++) {
    const above = Math.max(y - step, 0) * width;
    const middle = y * width;
    const below = Math.min(y + step, height - 1) * width;
    for (let i = 0, o = step; i < width; i++, o++) {
      line[o] = x[above + i]! + 2 * x[middle + i]! + x[below + i]!;
    }
    line.fill(line[step]!, 0, step);
    line.fill(line[step + width - 1]!, step + width, 2 * step + width);
    for (let i = 0; i < width; i++) {
      out[middle + i] = (line[i]! + 2 * line[i + step]! + line[i + 2 * step]!) / 16;
    }
  }
}

/**
 * The low frequencies of one plane: what is left after five blurs.
 *
 * @param plane `height * width` values of any range
 */
export function lowFrequencies(plane: Float32Array, width: number, height: number): Float32Array {
  let from: Float32Array = plane;
  let to: Float32Array = new Float32Array(plane.length);
  let spare: Float32Array = new Float32Array(plane.length);
  for (const step of WAVELET_DILATIONS) {
    blur(from, to, width, height, step, new Float32Array(width + 2 * step));
    [from, to, spare] = [to, spare, to]; // never the caller's plane
  }
  return from;
}

/** Adds the low frequencies of `plane` to `target`, both `height * width` values. */
export function addLowFrequencies(
  target: Float32Array,
  plane: Float32Array,
  width: number,
  height: number,
): void {
  const low = lowFrequencies(plane, width, height);
  for (let i = 0; i < target.length; i++) target[i]! += low[i]!;
}
