/** @file Runs the generator over all tiles of a picture and hands back finished rows, in order. */
import type { Tensor } from '../tensor/tensor.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Band, TileBlender } from './blend.ts';
import { cropTile, rowsOf } from './crop.ts';
import type { RowSource } from './rows.ts';
import type { TilePlan } from './tiles.ts';
import type { UpscaleOptions } from './types.ts';

/** Where a tile lies, in pixels of the picture; negative in padding. */
export interface TilePlace {
  readonly left: number;
  readonly top: number;
}

/** Generates one tile: `[1, 3, H, W]` in [-1, 1] to the same shape. */
export type GenerateTile = (
  input: Tensor<'float32'>,
  place: TilePlace,
) => Promise<Tensor<'float32'>>;

/**
 * Cut, generate, blend. Memory follows the picture's width and the tiles' height.
 *
 * @param onBand finished rows in [-1, 1], valid until it resolves
 */
export async function runTiles(
  source: RowSource,
  plan: TilePlan,
  generateTile: GenerateTile,
  onBand: (band: Band) => void | Promise<void>,
  { onProgress, signal }: Pick<UpscaleOptions, 'onProgress' | 'signal'>,
): Promise<void> {
  const { x, y } = plan;
  const blender = new TileBlender(plan, 3);
  const total = x.tiles.length * y.tiles.length;
  let done = 0;
  for (const [row, { start: top }] of y.tiles.entries()) {
    const { from, to } = rowsOf(plan, row);
    const rows = source.color(from, to);
    for (const [column, { start: left }] of x.tiles.entries()) {
      await breathe();
      signal?.throwIfAborted();
      const data = cropTile(rows, from, plan, column, row);
      const input = tensor('float32', [1, 3, y.length, x.length], data);
      const result = await generateTile(input, { left, top });
      const band = blender.add(column, row, result.data);
      if (band) await onBand(band);
      onProgress?.({ phase: 'tiles', done: ++done, total });
    }
  }
}

/** Lets messages and timers through: a run blocks the thread. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
