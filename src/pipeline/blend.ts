/** @file Blends tiles into the picture band by band, so that memory follows its width only. */
import { ShapeError, UsageError } from '../tensor/errors.ts';
import type { TilePlan } from './tiles.ts';

/** Finished rows of the picture, one plane a channel, `[rows, width]` each. */
export interface Band {
  /** First row, in picture coordinates. */
  readonly top: number;
  readonly rows: number;
  /** Views into the blender's memory: read them before the next `add`. */
  readonly planes: readonly Float32Array[];
}

/**
 * Weighted sum of tiles: picture = sum over tiles of wy * wx * tile, whose weights add up to 1.
 *
 * Rows of tiles come from top to bottom, the tiles of one row in any order. With the last tile of
 * a row, the rows that no later tile touches are handed back, in order and without gaps.
 */
export class TileBlender {
  readonly #plan: TilePlan;
  readonly #planes: readonly Float32Array[];
  readonly #waiting = new Set<number>();
  #row = 0;
  /** Picture row that the planes' first row stands for. */
  #top = 0;
  /** Rows handed back by the last `add`, to be dropped by the next. */
  #spent = 0;

  /** @param channels planes of every tile */
  constructor(plan: TilePlan, channels: number) {
    const rows = Math.min(plan.y.length, plan.y.size);
    this.#plan = plan;
    this.#planes = Array.from({ length: channels }, () => new Float32Array(rows * plan.x.size));
    this.#expectRow();
  }

  /**
   * Add the tile at `plan.x.tiles[column]`, `plan.y.tiles[row]`.
   *
   * @param tile `[channels, y.length, x.length]`, row-major
   * @returns rows that are now finished; null while tiles of this row are missing
   * @throws ShapeError for a tile of another size, UsageError for one out of turn
   */
  add(column: number, row: number, tile: Float32Array): Band | null {
    const { x, y } = this.#plan;
    const expected = this.#planes.length * y.length * x.length;
    if (tile.length !== expected) {
      throw new ShapeError(
        `blend: expected a tile of [${this.#planes.length}, ${y.length}, ${x.length}], ` +
          `got ${tile.length} elements.`,
      );
    }
    if (row !== this.#row || !this.#waiting.delete(column)) {
      throw new UsageError(
        `blend: expected each tile of row ${this.#row} once, got column ${column} of row ${row}.`,
      );
    }
    this.#dropSpent();
    for (const [c, plane] of this.#planes.entries()) {
      const offset = c * y.length * x.length;
      accumulate(plane, this.#top, this.#plan, column, row, tile, offset);
    }
    return this.#waiting.size > 0 ? null : this.#finishRow();
  }

  #expectRow(): void {
    for (const column of this.#plan.x.tiles.keys()) this.#waiting.add(column);
  }

  #finishRow(): Band {
    const { x, y } = this.#plan;
    this.#row++;
    this.#expectRow();
    const next = y.tiles[this.#row];
    const end = next ? next.start + next.from : y.size;
    const rows = end - this.#top;
    this.#spent = rows;
    const planes = this.#planes.map((plane) => plane.subarray(0, rows * x.size));
    return { top: this.#top, rows, planes };
  }

  #dropSpent(): void {
    if (this.#spent === 0) return;
    const count = this.#spent * this.#plan.x.size;
    for (const plane of this.#planes) {
      plane.copyWithin(0, count);
      plane.fill(0, plane.length - count);
    }
    this.#top += this.#spent;
    this.#spent = 0;
  }
}

/** plane += wy * wx * tile, over the tile's weighted part inside the picture. */
function accumulate(
  plane: Float32Array,
  top: number,
  plan: TilePlan,
  column: number,
  row: number,
  tile: Float32Array,
  offset: number,
): void {
  const h = plan.x.tiles[column]!;
  const v = plan.y.tiles[row]!;
  const width = plan.x.size;
  const weights = h.weights;
  for (let y = v.from; y < v.to; y++) {
    const wy = v.weights[y]!;
    const from = offset + y * plan.x.length;
    const to = (v.start + y - top) * width + h.start;
    for (let x = h.from; x < h.to; x++) {
      plane[to + x] = plane[to + x]! + wy * weights[x]! * tile[from + x]!;
    }
  }
}
