/** @file Cuts a tile out of a planar picture; outside the picture it is mirrored. */
import { ShapeError } from '../tensor/errors.ts';
import type { AxisPlan, TilePlan } from './tiles.ts';

/**
 * The pixels of the tile at `plan.x.tiles[column]`, `plan.y.tiles[row]`.
 *
 * Padding repeats the picture mirrored at its edges (the edge pixel twice), as often as needed,
 * so that it holds no step that the picture does not hold, down to pictures of one pixel.
 *
 * @param source `[channels, y.size, x.size]`, row-major
 * @param target where to write; a new array when left out
 * @returns `[channels, y.length, x.length]`
 * @throws ShapeError when `source` or `target` has another size
 */
export function cropTile(
  source: Float32Array,
  plan: TilePlan,
  column: number,
  row: number,
  target?: Float32Array,
): Float32Array {
  const { x, y } = plan;
  const channels = source.length / (x.size * y.size);
  const count = channels * x.length * y.length;
  const tile = target ?? new Float32Array(Number.isInteger(channels) ? count : 0);
  if (!Number.isInteger(channels) || tile.length !== count) {
    throw new ShapeError(
      `crop: expected planes of ${x.size}x${y.size} and a tile of ${x.length}x${y.length}, ` +
        `got ${source.length} and ${tile.length} elements.`,
    );
  }
  const columns = sourceIndices(x, column);
  const rows = sourceIndices(y, row);
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (const line of rows) {
      const from = (c * y.size + line) * x.size;
      for (const at of columns) tile[to++] = source[from + at]!;
    }
  }
  return tile;
}

/** For each pixel of a tile along one axis, the picture's pixel that it shows. */
function sourceIndices(axis: AxisPlan, index: number): Int32Array {
  const { start } = axis.tiles[index]!;
  const period = 2 * axis.size;
  return Int32Array.from({ length: axis.length }, (_, k) => {
    const at = (((start + k) % period) + period) % period;
    return at < axis.size ? at : period - 1 - at;
  });
}
