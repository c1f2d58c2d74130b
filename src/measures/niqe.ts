/** @file NIQE (Mittal, Soundararajan, Bovik 2013): how far a picture's statistics lie from natural ones. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { ShapeError } from '../tensor/errors.ts';
import { yiqLuma } from './luma.ts';
import { type Block, blockSize, niqeBlocks } from './niqe-features.ts';
import { features, type Gaussian, throughFloat32 } from './niqe-prior.ts';
import type { Rgb } from './rgb.ts';

/**
 * The distance of a picture's statistics from the prior's, smaller is better; natural pictures lie
 * around 3 to 6.
 *
 *     sqrt(d' pinv((S + S_prior) / 2) d),  d = mean - mean_prior
 *
 * Taken on the luma of YIQ in whole levels. NaN for what has no score: a flat picture, or one that
 * holds fewer than two blocks of 96x96 with something in them.
 */
export function niqe(picture: Rgb, prior: Gaussian): number {
  const { mean, covariance } = gaussian(blocksOf(picture));
  const difference = mean.map((v, i) => v - prior.mean[i]!);
  const pooled = covariance.map((v, i) => (v + prior.covariance[i]!) / 2);
  return Math.sqrt(mahalanobis(difference, pooled));
}

/**
 * A prior of one's own, as the paper made it: of every picture the blocks whose sharpness is above
 * three quarters of its sharpest block's.
 *
 * @throws ShapeError when the pictures hold too few such blocks for 36 statistics.
 */
export async function fitPrior(pictures: AsyncIterable<Rgb> | Iterable<Rgb>): Promise<Gaussian> {
  const sharp: Block[] = [];
  for await (const picture of pictures) {
    const blocks = blocksOf(picture).filter(isComplete);
    const peak = Math.max(...blocks.map((block) => block.sharpness));
    sharp.push(...blocks.filter((block) => block.sharpness > 0.75 * peak));
  }
  if (sharp.length <= features) {
    throw new ShapeError(
      `niqe: expected more than ${features} sharp blocks of ${blockSize}x${blockSize} pixels for a ` +
        `prior, got ${sharp.length}. Give more or larger pictures.`,
    );
  }
  return throughFloat32(gaussian(sharp));
}

function blocksOf(picture: Rgb): Block[] {
  const { width, height } = picture;
  return niqeBlocks({ width, height, data: yiqLuma(picture) });
}

function isComplete(block: Block): boolean {
  return !block.features.some(Number.isNaN);
}

/**
 * Mean and covariance (over n - 1) of the statistics. Blocks with NaN are left out; NaN throughout
 * when fewer than two are left.
 */
function gaussian(blocks: readonly Block[]): Gaussian {
  const rows = blocks.filter(isComplete).map((block) => block.features);
  const mean = new Float64Array(features).fill(rows.length < 2 ? NaN : 0);
  for (const row of rows) for (let i = 0; i < features; i++) mean[i]! += row[i]! / rows.length;
  const covariance = new Float64Array(features ** 2);
  for (const row of rows) {
    for (let i = 0; i < covariance.length; i++) {
      const [a, b] = [Math.floor(i / features), i % features];
      covariance[i]! += ((row[a]! - mean[a]!) * (row[b]! - mean[b]!)) / (rows.length - 1);
    }
  }
  return { mean, covariance };
}

/** `d' pinv(S) d` of a symmetric S; NaN when d holds NaN. */
function mahalanobis(d: Float64Array, covariance: Float64Array): number {
  if (d.some(Number.isNaN)) return NaN;
  const matrix = Matrix.from1DArray(features, features, covariance);
  const eigen = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const largest = Math.max(...eigen.realEigenvalues);
  let sum = 0;
  for (const [k, value] of eigen.realEigenvalues.entries()) {
    if (value <= 1e-15 * features * largest) continue;
    const along = d.reduce((dot, v, i) => dot + v * eigen.eigenvectorMatrix.get(i, k), 0);
    sum += along ** 2 / value;
  }
  return sum;
}
