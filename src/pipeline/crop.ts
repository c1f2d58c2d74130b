/** @file Cuts a tile out of a picture, or out of those of its rows that are at hand; outside it is mirrored. */
import { fullScale, hasAlpha, type Picture } from '../image/picture.ts';
import { ShapeError } from '../tensor/errors.ts';
import type { AxisPlan, TilePlan } from './tiles.ts';

/** The half-open range of the picture's rows that the tiles of row `row` show. */
export function rowsOf(
  { y }: TilePlan,
  row: number,
): { readonly from: number; readonly to: number } {
  const shown = sourceIndices(y, row);
  return { from: Math.min(...shown), to: Math.max(...shown) + 1 };
}

/**
 * The pixels of the tile at `plan.x.tiles[column]`, `plan.y.tiles[row]`, as networks take them.
 *
 * Padding repeats the picture mirrored at its edges (the edge pixel twice), as often as needed,
 * so that it holds no step that the picture does not hold, down to pictures of one pixel.
 *
 * @param band rows of the picture, grey or RGB, of its full width; the first is row `top`
 * @returns `[3, y.length, x.length]` in [-1, 1]
 * @throws ShapeError when `band` has another width, alpha, or not the rows that the tile shows
 */
export function cropTile(
  band: Picture,
  top: number,
  plan: TilePlan,
  column: number,
  row: number,
): Float32Array {
  const { x, y } = plan;
  const { from, to } = rowsOf(plan, row);
  if (band.width !== x.size || hasAlpha(band) || from < top || to > top + band.height) {
    throw new ShapeError(
      `crop: expected rows ${from} to ${to} of colour, ${x.size} wide, ` +
        `got rows ${top} to ${top + band.height} of ${band.channels} channels, ${band.width} wide.`,
    );
  }
  const { channels, data } = band;
  const area = x.length * y.length;
  const tile = new Float32Array(3 * area);
  const table = data instanceof Uint8Array ? signedBytes : undefined;
  const gain = 2 / fullScale(data);
  const columns = sourceIndices(x, column).map((at) => at * channels);
  let p = 0;
  for (const line of sourceIndices(y, row)) {
    const start = (line - top) * x.size * channels;
    for (let c = 0; c < channels; c++) {
      const out = c * area + p;
      const from = start + c;
      if (table)
        for (let k = 0; k < x.length; k++) tile[out + k] = table[data[from + columns[k]!]!]!;
      else for (let k = 0; k < x.length; k++) tile[out + k] = data[from + columns[k]!]! * gain - 1;
    }
    p += x.length;
  }
  if (channels === 1) for (const c of [1, 2]) tile.copyWithin(c * area, 0, area);
  return tile;
}

/** Every byte in the float32 arithmetic of torchvision's `ToTensor`, then brought to [-1, 1]. */
const signedBytes = Float32Array.from(
  { length: 256 },
  (_, v) => Math.fround(Math.fround(v / 255) * 2) - 1,
);

/** For each pixel of a tile along one axis, the picture's pixel that it shows. */
function sourceIndices(axis: AxisPlan, index: number): Int32Array {
  const { start } = axis.tiles[index]!;
  const period = 2 * axis.size;
  return Int32Array.from({ length: axis.length }, (_, k) => {
    const at = (((start + k) % period) + period) % period;
    return at < axis.size ? at : period - 1 - at;
  });
}
