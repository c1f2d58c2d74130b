/** @file Cuts a picture of any size into overlapping tiles of one shape, laid out symmetrically. */
import { UsageError } from '../tensor/errors.ts';
import { axisWeights, weightedRange } from './windows.ts';

/** What the tiles must be like. Lengths are pixels of the picture that is cut (or latents). */
export interface TileOptions {
  readonly width: number;
  readonly height: number;
  /** Longest tile edge; rounded down to a multiple of `align`. */
  readonly tile: number;
  /** Longest tile edge from top to bottom, where it is another. @default tile */
  readonly tileHeight?: number;
  /** Least overlap of neighbours; rounded up to a multiple of `align`. */
  readonly overlap: number;
  /** Context at a tile's inner edges whose result is thrown away. At most half of `overlap`. @default 0 */
  readonly halo?: number;
  /** Tile sizes and positions are multiples of it, so all tiles share the network's grid. @default 1 */
  readonly align?: number;
  /** The padding before the picture is a multiple of it, for a network that knows it. @default 1 */
  readonly phase?: number;
  /** Keep the full tile where a smaller one would do: one shape for all large pictures. @default false */
  readonly fixed?: boolean;
}

/** One tile's extent along one axis. */
interface AxisTile {
  /** First pixel, in picture coordinates; negative where the tile begins in the padding. */
  readonly start: number;
  /** Share of this tile in each of its pixels; over all tiles of the axis they sum to 1. */
  readonly weights: Float32Array;
  /** Half-open range, counted from `start`, with weight above 0 and inside the picture. */
  readonly from: number;
  readonly to: number;
}

/** One axis of the plan: tiles of equal `length`, in rising order. */
export interface AxisPlan {
  /** The picture's size along this axis. */
  readonly size: number;
  /** Edge of every tile along this axis, a multiple of `align`. */
  readonly length: number;
  readonly tiles: readonly AxisTile[];
}

/** Every pair of a column (`x`) and a row (`y`) is a tile of `x.length` by `y.length` pixels. */
export interface TilePlan {
  readonly x: AxisPlan;
  readonly y: AxisPlan;
}

/**
 * Plan the tiles of a picture.
 *
 * The picture is thought of as padded to a multiple of `align` (half of it on either side, the
 * odd pixel after) and cut into as few tiles as `tile` and `overlap` allow, all of the smallest
 * length that still covers it. A mirrored picture gets the mirrored plan, wherever the padding can
 * be halved; an odd count of tiles without an exact middle is therefore avoided.
 *
 * @throws UsageError when a length is not a positive integer, or the tile is too small for the
 *   overlap, or the overlap for the halo.
 */
export function planTiles(options: TileOptions): TilePlan {
  const { width, height, tile, overlap, halo = 0, align = 1, phase = 1, fixed = false } = options;
  const { tileHeight = tile } = options;
  for (const [name, value, least] of [
    ['width', width, 1],
    ['height', height, 1],
    ['tile', tile, 1],
    ['tileHeight', tileHeight, 1],
    ['overlap', overlap, 0],
    ['halo', halo, 0],
    ['align', align, 1],
    ['phase', phase, 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new UsageError(`tiles: expected ${name} to be an integer >= ${least}, got ${value}.`);
    }
  }
  const cells = { tile: Math.floor(tile / align), overlap: Math.ceil(overlap / align), fixed };
  const down = { ...cells, tile: Math.floor(tileHeight / align) };
  if (Math.min(cells.tile, down.tile) <= cells.overlap) {
    const least = (cells.overlap + 1) * align;
    throw new UsageError(
      `tiles: expected a tile of at least ${least} pixels for an overlap of ${overlap}, got ${Math.min(tile, tileHeight)}. ` +
        'Take larger tiles or less overlap.',
    );
  }
  if (cells.overlap * align < 2 * halo) {
    throw new UsageError(
      `tiles: expected an overlap of at least ${2 * halo} pixels, which this model's context needs, ` +
        `got ${overlap}.`,
    );
  }
  const grid = { align, halo, phase };
  return { x: planAxis(width, cells, grid), y: planAxis(height, down, grid) };
}

interface Cells {
  readonly tile: number;
  readonly overlap: number;
  readonly fixed: boolean;
}

function planAxis(
  size: number,
  cells: Cells,
  { align, halo, phase }: { align: number; halo: number; phase: number },
): AxisPlan {
  const canvas = Math.ceil(size / align);
  const padding = canvas * align - size;
  const before = Math.floor(padding / 2 / phase) * phase;
  const { count, length } = countTiles(canvas, cells);
  const starts = spread(canvas - length, count).map((cell) => cell * align - before);
  const weights = axisWeights(starts, length * align, halo);
  const tiles = starts.map((start, i): AxisTile => {
    const window = weights[i]!;
    const { from, to } = weightedRange(window);
    return { start, weights: window, from: Math.max(from, -start), to: Math.min(to, size - start) };
  });
  return { size, length: length * align, tiles };
}

/** How many tiles of which length (in cells) cover a canvas; an odd count has an exact middle. */
function countTiles(canvas: number, cells: Cells): { count: number; length: number } {
  if (canvas <= cells.tile) return { count: 1, length: canvas };
  const covering = (count: number): number =>
    cells.fixed ? cells.tile : Math.ceil((canvas + (count - 1) * cells.overlap) / count);
  const count = Math.ceil((canvas - cells.overlap) / (cells.tile - cells.overlap));
  const length = covering(count);
  const centred = count % 2 === 0 || (canvas - length) % 2 === 0;
  if (centred) return { count, length };
  if (length < cells.tile) return { count, length: length + 1 };
  return { count: count + 1, length: covering(count + 1) };
}

/** `count` starts spread evenly over 0..`slack`, the second half mirroring the first. */
function spread(slack: number, count: number): number[] {
  const starts = Array.from<number>({ length: count }).fill(0);
  for (let i = 0; i < Math.floor(count / 2); i++) {
    starts[i] = Math.round((i * slack) / (count - 1));
    starts[count - 1 - i] = slack - starts[i]!;
  }
  if (count % 2 === 1) starts[(count - 1) / 2] = slack / 2;
  return starts;
}
