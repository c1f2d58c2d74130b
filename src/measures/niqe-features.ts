/** @file NIQE's 36 natural scene statistics of every block (Mittal, Soundararajan, Bovik 2013). */
import { type Moments, fitAggd } from './aggd.ts';
import { halve, type Plane } from './halve.ts';
import { normalize } from './normalize.ts';

/** Side of a block, in pixels. */
export const blockSize = 96;

/** Statistics of one block. */
export interface Block {
  /** 18 at full size, then 18 at half size; NaN in flat blocks. */
  readonly features: Float64Array;
  /** Mean local deviation at full size, in levels: how much there is to see in the block. */
  readonly sharpness: number;
}

/** Pairs of neighbours, (rows, columns) apart, whose products are looked at. */
const shifts = [
  [0, 1],
  [1, 0],
  [1, 1],
  [1, -1],
] as const;

/**
 * The statistics of all whole blocks, column by column from the top left; a remainder is not looked at.
 *
 * @param luma levels 0..255
 * @returns nothing for a picture that holds no block.
 */
export function niqeBlocks(luma: Plane): Block[] {
  const columns = Math.floor(luma.width / blockSize);
  const rows = Math.floor(luma.height / blockSize);
  if (columns === 0 || rows === 0) return [];
  const whole = crop(luma, columns * blockSize, rows * blockSize);
  const full = normalize(whole);
  const half = normalize(halve(whole));
  const blocks: Block[] = [];
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const fine = cut(full.normalized, row, column, blockSize);
      const coarse = cut(half.normalized, row, column, blockSize / 2);
      const features = [...statistics(fine, blockSize), ...statistics(coarse, blockSize / 2)];
      const deviation = cut(full.deviation, row, column, blockSize);
      const sharpness = deviation.reduce((sum, v) => sum + v, 0) / deviation.length;
      blocks.push({ features: Float64Array.from(features), sharpness });
    }
  }
  return blocks;
}

function crop(plane: Plane, width: number, height: number): Plane {
  const data = new Float64Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = row * plane.width;
    data.set(plane.data.subarray(from, from + width), row * width);
  }
  return { width, height, data };
}

function cut(plane: Plane, row: number, column: number, size: number): Float64Array {
  const block = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const from = (row * size + i) * plane.width + column * size;
    block.set(plane.data.subarray(from, from + size), i * size);
  }
  return block;
}

/** The 18 statistics of a block: of its values, and of products with its neighbours all around. */
function statistics(block: Float64Array, size: number): number[] {
  const { alpha, left, right } = fitAggd(moments(block));
  const features = [alpha, (left + right) / 2];
  for (const [down, across] of shifts) {
    const fit = fitAggd(moments(products(block, size, down, across)));
    features.push(fit.alpha, fit.mean, fit.left, fit.right);
  }
  return features;
}

/** Every value times the one `down` rows above and `across` columns before it, around the borders. */
function products(block: Float64Array, size: number, down: number, across: number): Float64Array {
  const out = new Float64Array(block.length);
  for (let row = 0; row < size; row++) {
    const to = row * size;
    const from = ((row - down + size) % size) * size;
    for (let column = 0; column < size; column++) {
      let other = column - across;
      if (other < 0) other += size;
      else if (other >= size) other -= size;
      out[to + column] = block[to + column]! * block[from + other]!;
    }
  }
  return out;
}

function moments(values: Float64Array): Moments {
  let [leftCount, leftSum, leftSquares, rightCount, rightSum, rightSquares] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    // Both sides always: which side comes next cannot be foretold, and a wrong guess costs more.
    const left = Math.min(v, 0);
    const right = Math.max(v, 0);
    leftSum -= left;
    leftSquares += left * left;
    rightSum += right;
    rightSquares += right * right;
    leftCount += Number(v < 0);
    rightCount += Number(v > 0);
  }
  const absolute = leftSum + rightSum;
  return { count: values.length, absolute, leftCount, leftSquares, rightCount, rightSquares };
}
