/**
 * @file Calms pictures over time: where the input stays the same along its motion, results of the
 * frame before are blended in (recursive temporal filtering with block motion compensation).
 */
import type { Picture, Samples } from 'osediff';

/** Edge of the blocks that motion is found for, in input pixels. */
const block = 8;
/** Farthest motion that is found, in input pixels each way. */
const reach = 7;
/** Differences of the input, in levels of 255, at which blending has fallen to 1/e: of a pixel, and a block's mean. */
const tolerance = { pixel: 6, block: 4 };

/** Blends each result with the one before. */
export class Calmer {
  readonly #strength: number;
  readonly #scale: number;
  #luma: Float32Array | undefined;
  #result: Picture | undefined;

  /** @param strength share of the past where nothing changed, from 0 to below 1 */
  constructor(strength: number, scale: number) {
    this.#strength = Math.min(0.95, strength);
    this.#scale = scale;
  }

  /** Forget the frames before. */
  reset(): void {
    this.#luma = undefined;
    this.#result = undefined;
  }

  /** @returns the result to show for a frame, given what the model made of it alone */
  next(input: Picture, result: Picture): Picture {
    const luma = lumaOf(input);
    const before = this.#result;
    const calmed =
      this.#luma && before ? this.#blend(input, result, luma, this.#luma, before) : result;
    this.#luma = luma;
    this.#result = calmed;
    return calmed;
  }

  #blend(
    { width, height }: Picture,
    result: Picture,
    luma: Float32Array,
    past: Float32Array,
    before: Picture,
  ): Picture {
    const data = result.data.slice();
    for (let top = 0; top < height; top += block) {
      for (let left = 0; left < width; left += block) {
        const area = {
          left,
          top,
          right: Math.min(width, left + block),
          bottom: Math.min(height, top + block),
        };
        const motion = findMotion(luma, past, width, height, area);
        // Where a block came from nowhere (an edge, a cut), pixels that are equal by chance do not count.
        if (motion.distance > 2 * tolerance.block) continue;
        this.#blendBlock(data, result, before, luma, past, width, area, motion);
      }
    }
    return { ...result, data };
  }

  #blendBlock(
    data: Samples,
    result: Picture,
    before: Picture,
    luma: Float32Array,
    past: Float32Array,
    width: number,
    { left, top, right, bottom }: Area,
    { dx, dy, distance }: Motion,
  ): void {
    const scale = this.#scale;
    const { channels } = result;
    const most = this.#strength * Math.exp(-((distance / tolerance.block) ** 2));
    const row = result.width * channels;
    const step = (dy * result.width + dx) * scale * channels;
    const half = data instanceof Float32Array ? 0 : 0.5;
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const i = y * width + x;
        const difference = (luma[i]! - past[i + dy * width + dx]!) / tolerance.pixel;
        const share = most * Math.exp(-difference * difference);
        if (share < 0.02) continue;
        for (let line = 0; line < scale; line++) {
          const from = (y * scale + line) * row + x * scale * channels;
          for (let k = from; k < from + scale * channels; k++) {
            const value = result.data[k]!;
            data[k] = value + (before.data[k + step]! - value) * share + half;
          }
        }
      }
    }
  }
}

interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

interface Motion {
  readonly dx: number;
  readonly dy: number;
  /** Mean absolute difference along it, in levels. */
  readonly distance: number;
}

/** Where a block was in the frame before: the shift of least difference, none unless clearly better. */
function findMotion(
  luma: Float32Array,
  past: Float32Array,
  width: number,
  height: number,
  area: Area,
): Motion {
  const still = distance(luma, past, width, area, 0, 0, Infinity);
  const size = (area.right - area.left) * (area.bottom - area.top);
  let best: Motion = { dx: 0, dy: 0, distance: still / size };
  if (still < size) return best; // about one level a pixel: it stands still
  let least = still * 0.8;
  for (let dy = Math.max(-reach, -area.top); dy <= Math.min(reach, height - area.bottom); dy++) {
    for (let dx = Math.max(-reach, -area.left); dx <= Math.min(reach, width - area.right); dx++) {
      const found = distance(luma, past, width, area, dx, dy, least);
      if (found < least) {
        least = found;
        best = { dx, dy, distance: found / size };
      }
    }
  }
  return best;
}

/** Sum of absolute differences, cut short once it exceeds `limit`. */
function distance(
  luma: Float32Array,
  past: Float32Array,
  width: number,
  { left, top, right, bottom }: Area,
  dx: number,
  dy: number,
  limit: number,
): number {
  let sum = 0;
  for (let y = top; y < bottom && sum < limit; y++) {
    const from = y * width;
    const shift = dy * width + dx;
    for (let x = left; x < right; x++) sum += Math.abs(luma[from + x]! - past[from + x + shift]!);
  }
  return sum;
}

/** Brightness in levels of 255: the mean of the colours will do to find motion. */
function lumaOf({ width, height, channels, data }: Picture): Float32Array {
  const colors = channels < 3 ? 1 : 3;
  const full = data instanceof Uint8Array ? 255 : data instanceof Uint16Array ? 65535 : 1;
  const gain = 255 / full / colors;
  const out = new Float32Array(width * height);
  for (let i = 0, p = 0; p < out.length; p++, i += channels) {
    out[p] = (colors === 3 ? data[i]! + data[i + 1]! + data[i + 2]! : data[i]!) * gain;
  }
  return out;
}
