/** @file A picture as MUSIQ takes it in: patches of three versions of it, and where each lies (Ke 2021). */
import { interpolate } from '../image/interpolate.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { roundHalfEven } from './luma.ts';

/** How a picture is cut up. */
export interface MusiqCutting {
  /** Pixels a side of a patch. */
  readonly patch: number;
  /** Rows and columns that places are counted in, whatever the size. */
  readonly grid: number;
  /** Longer sides of the smaller versions; the last version is the picture as it is. */
  readonly sides: readonly number[];
}

/** Patches and what is told of each. */
export interface MusiqPatches {
  /** `[T, 3, patch, patch]` in [-1, 1] */
  readonly patches: Tensor<'float32'>;
  /** Row and column in the grid: `row * grid + column`. `[T]` */
  readonly places: Tensor<'int64'>;
  /** Which version; 0 of a patch that only fills up. `[T]` */
  readonly scales: Tensor<'int64'>;
  /** 1, or 0 of a patch that only fills up. `[T]` */
  readonly mask: Tensor<'float32'>;
}

/**
 * Cuts a picture up.
 *
 * The smaller versions are interpolated without antialiasing, each is laid in the middle of whole
 * patches of grey, and they are filled up with empty patches to as many as a square would have.
 *
 * @param picture planes `[3, H, W]` in [-1, 1]
 */
export function musiqPatches(picture: Tensor<'float32'>, cutting: MusiqCutting): MusiqPatches {
  const { patch, sides } = cutting;
  const [, height, width] = picture.shape as [number, number, number];
  const longer = Math.max(height, width);
  const versions = sides.map((side) => {
    const [h, w] = [height, width].map((n) => roundHalfEven((n * side) / longer));
    const most = Math.ceil(side / patch) ** 2;
    return { planes: interpolate(picture, 'bicubic', h!, w!), most };
  });
  const cut = [...versions, { planes: picture, most: 0 }].map(({ planes, most }) =>
    cutVersion(planes, most, cutting),
  );
  const count = cut.reduce((sum, { total }) => sum + total, 0);
  const size = 3 * patch * patch;
  const patches = new Float32Array(count * size);
  const places = new BigInt64Array(count);
  const scales = new BigInt64Array(count);
  const mask = new Float32Array(count);
  let start = 0;
  cut.forEach(({ data, where, total }, scale) => {
    patches.set(data, start * size);
    places.set(where, start);
    scales.fill(BigInt(scale), start, start + where.length);
    mask.fill(1, start, start + where.length);
    start += total;
  });
  return {
    patches: tensor('float32', [count, 3, patch, patch], patches),
    places: tensor('int64', [count], places),
    scales: tensor('int64', [count], scales),
    mask: tensor('float32', [count], mask),
  };
}

interface CutVersion {
  /** Patch by patch, each channel by channel. */
  readonly data: Float32Array;
  /** Places, one a patch. */
  readonly where: BigInt64Array;
  /** Patches, empty ones at the end included. */
  readonly total: number;
}

function cutVersion(
  { shape, data: x }: Tensor<'float32'>,
  most: number,
  { patch, grid }: MusiqCutting,
): CutVersion {
  const [, height, width] = shape as [number, number, number];
  const [rows, columns] = [Math.ceil(height / patch), Math.ceil(width / patch)];
  const [top, left] = [
    Math.floor((rows * patch - height) / 2),
    Math.floor((columns * patch - width) / 2),
  ];
  const area = patch * patch;
  const data = new Float32Array(rows * columns * 3 * area);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < height; y++) {
      const [row, dy] = [Math.floor((y + top) / patch), (y + top) % patch];
      for (let i = 0; i < width; i++) {
        const [column, dx] = [Math.floor((i + left) / patch), (i + left) % patch];
        const at = ((row * columns + column) * 3 + c) * area + dy * patch + dx;
        data[at] = x[(c * height + y) * width + i]!;
      }
    }
  }
  const where = BigInt64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const place = (index: number, count: number): number => Math.floor((index * grid) / count);
    return BigInt(place(row, rows) * grid + place(column, columns));
  });
  return { data, where, total: Math.max(most, where.length) };
}
