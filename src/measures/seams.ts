/** @file Seams between tiles: steps across their borders beside the steps around them. Our own. */
import { ShapeError } from '../tensor/errors.ts';
import { studioLuma } from './luma.ts';
import { requireSameSize, type Rgb } from './rgb.ts';

/** Borders of tiles. Border `n` lies between pixels n - 1 and n. */
export interface Borders {
  readonly columns: readonly number[];
  readonly rows: readonly number[];
}

/** How much steeper the picture is at the borders than beside them; 1 is no seam. */
export interface Seams {
  /** Over all borders. */
  readonly ratio: number;
  /** Of the border that shows most. */
  readonly worst: number;
}

/** Pixels of a border that are looked at together: a sky must not drown in the texture below it. */
const segment = 16;
/** Lines on either side of a border that it is compared with. */
const reach = 4;
/** Mean square of a step between two values rounded to whole levels: what says nothing. */
const rounding = 1 / 6;

/**
 * Looks for seams in the Y of BT.601. Every border is cut into pieces of 16 pixels; for each, the mean
 * squared step across it is divided by the geometric mean of the same on the four lines on either
 * side (1/6 added to all, which is what rounding alone makes of nothing). The geometric mean of these
 * ratios does not mind the edges of the picture's own, which hit the lines beside as often.
 *
 * @param untiled the same picture made in one piece, if there is one: then only the difference is
 *   looked at, where seams cannot hide in texture
 * @throws ShapeError when a border does not lie inside the picture, or there is none, or `untiled`
 *   has another size.
 */
export function findSeams(picture: Rgb, borders: Borders, untiled?: Rgb): Seams {
  const { width, height } = picture;
  const y = studioLuma(picture);
  if (untiled) {
    requireSameSize('seams', picture, untiled);
    for (const [i, v] of studioLuma(untiled).entries()) y[i]! -= v;
  }
  const across = borders.columns.map((at) => logRatios(y, at, width, 1, height, width));
  const down = borders.rows.map((at) => logRatios(y, at, height, width, width, 1));
  const lines = [...across, ...down];
  if (lines.length === 0) throw new ShapeError('seams: expected at least one border, got none.');
  return {
    ratio: Math.exp(mean(lines.flat())),
    worst: Math.exp(Math.max(...lines.map(mean))),
  };
}

/** Borders every `period` pixels. */
export function bordersEvery(period: number, width: number, height: number): Borders {
  const every = (size: number): number[] =>
    Array.from({ length: Math.max(0, Math.ceil(size / period) - 1) }, (_, i) => (i + 1) * period);
  return { columns: every(width), rows: every(height) };
}

/**
 * The logarithm of the ratio for every piece of one border.
 *
 * @param at the border, among `size` pixels that lie `step` apart
 * @param length pixels along the border, `stride` apart
 */
function logRatios(
  y: Float64Array,
  at: number,
  size: number,
  step: number,
  length: number,
  stride: number,
): number[] {
  if (!(Number.isInteger(at) && at > 0 && at < size)) {
    throw new ShapeError(`seams: expected a border from 1 to ${size - 1}, got ${at}.`);
  }
  const near = Array.from({ length: 2 * reach + 1 }, (_, i) => at - reach + i).filter(
    (line) => line !== at && line > 0 && line < size,
  );
  const ratios: number[] = [];
  for (let from = 0; from < length; from += segment) {
    const count = Math.min(segment, length - from);
    const energy = (line: number): number => {
      let sum = 0;
      for (let k = from; k < from + count; k++) {
        const i = line * step + k * stride;
        sum += (y[i]! - y[i - step]!) ** 2;
      }
      return sum / count + rounding;
    };
    const beside = near.map((line) => Math.log(energy(line)));
    ratios.push(Math.log(energy(at)) - mean(beside));
  }
  return ratios;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}
