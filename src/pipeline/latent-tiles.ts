/** @file Predicts the noise of large latents tile by tile, as the official program does (osediff.md, "Tiling"). */
import { gaussianWeights, type LatentTiling, tileStarts } from '../networks/gaussian-tiles.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';

/** Predicts the noise of latents `[N, C, h, w]` of any size. */
export type Predict = (z: Tensor<'float32'>) => Promise<Tensor<'float32'>>;

/**
 * The noise of whole latents: at once where they are no larger than a tile, else as the weighted mean
 * of square tiles.
 *
 * @param z `[N, C, h, w]`
 * @param onTile called with the tiles done and in all
 * @returns `[N, C, h, w]`
 */
export async function predictTiled(
  z: Tensor<'float32'>,
  tiling: LatentTiling,
  predict: Predict,
  onTile?: (done: number, total: number) => void,
): Promise<Tensor<'float32'>> {
  const [height, width] = z.shape.slice(2) as [number, number];
  if (height * width <= tiling.tile ** 2) return predict(z);
  const tile = Math.min(tiling.tile, height, width);
  const starts = { tile, overlap: tiling.overlap };
  const [rows, columns] = [tileStarts(height, starts), tileStarts(width, starts)];
  const blend = new GaussianBlend(z.shape, tile);
  let done = 0;
  for (const top of rows) {
    for (const left of columns) {
      blend.add(await predict(cropLatents(z, top, left, tile)), top, left);
      onTile?.(++done, rows.length * columns.length);
    }
  }
  return blend.result();
}

function cropLatents(
  z: Tensor<'float32'>,
  top: number,
  left: number,
  tile: number,
): Tensor<'float32'> {
  const [n, channels, height, width] = z.shape as [number, number, number, number];
  const out = zeros('float32', [n, channels, tile, tile]);
  for (let c = 0; c < n * channels; c++) {
    for (let y = 0; y < tile; y++) {
      const from = (c * height + top + y) * width + left;
      out.data.set(z.data.subarray(from, from + tile), (c * tile + y) * tile);
    }
  }
  return out;
}

/** Weighted mean of tiles of latents. */
class GaussianBlend {
  readonly #sum: Tensor<'float32'>;
  readonly #share: Float64Array;
  readonly #weights: Float64Array;
  readonly #tile: number;

  constructor(shape: readonly number[], tile: number) {
    this.#sum = zeros('float32', shape);
    this.#share = new Float64Array(shape[2]! * shape[3]!);
    this.#weights = gaussianWeights(tile);
    this.#tile = tile;
  }

  add(eps: Tensor<'float32'>, top: number, left: number): void {
    const [n, channels, height, width] = this.#sum.shape as [number, number, number, number];
    const [tile, planes] = [this.#tile, n * channels];
    for (let y = 0; y < tile; y++) {
      for (let x = 0; x < tile; x++) {
        const weight = this.#weights[y * tile + x]!;
        const at = (top + y) * width + left + x;
        this.#share[at]! += weight;
        for (let c = 0; c < planes; c++) {
          this.#sum.data[c * height * width + at]! += eps.data[(c * tile + y) * tile + x]! * weight;
        }
      }
    }
  }

  result(): Tensor<'float32'> {
    const area = this.#share.length;
    const data = this.#sum.data.map((value, i) => value / this.#share[i % area]!);
    return { ...this.#sum, data };
  }
}
