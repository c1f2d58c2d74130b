/** @file What lies beyond 0..1 in a picture of floats: kept apart from the network, enlarged smoothly. */
import type { Picture } from 'osediff';
import { inTurns } from './turns.ts';

/** By how much each sample is above 1 or below 0; zero where it is inside. */
export interface Beyond extends Pick<Picture, 'width' | 'height' | 'channels'> {
  readonly values: Float32Array;
}

/** Samples of one turn of the event loop. */
const turn = 1 << 20;

/**
 * Enlarges to a width and height, bilinearly, with the corners of the two pictures aligned. A plane
 * stays a plane, and the same size gives the same values.
 *
 * @returns `[height, width, channels]`
 */
export async function enlargeBeyond(
  { values, channels, ...from }: Beyond,
  to: { readonly width: number; readonly height: number },
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const row = to.width * channels;
  const out = new Float32Array(to.height * row);
  const xs = neighbours(from.width, to.width);
  const ys = neighbours(from.height, to.height);
  const stride = from.width * channels;
  const fill = (start: number, end: number): void => {
    for (let y = start; y < end; y++) {
      const { low, high, weight: v } = ys[y]!;
      for (let x = 0, o = y * row; x < to.width; x++) {
        const { low: left, high: right, weight: u } = xs[x]!;
        for (let c = 0; c < channels; c++, o++) {
          const l = left * channels + c;
          const r = right * channels + c;
          const top = mix(values[low * stride + l]!, values[low * stride + r]!, u);
          const bottom = mix(values[high * stride + l]!, values[high * stride + r]!, u);
          out[o] = mix(top, bottom, v);
        }
      }
    }
  };
  await inTurns(to.height, signal, fill, Math.max(1, Math.floor(turn / row)));
  return out;
}

function mix(a: number, b: number, weight: number): number {
  return a + (b - a) * weight;
}

interface Neighbours {
  readonly low: number;
  readonly high: number;
  /** Of `high`. */
  readonly weight: number;
}

/** For each of `to` positions, the two of `from` that it lies between. */
function neighbours(from: number, to: number): readonly Neighbours[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, from - 1), weight: at - low };
  });
}
