/** @file Frechet distance of two sets of features (Dowson and Landau 1982), the D of FID (Heusel 2017). */
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from 'ml-matrix';
import { ShapeError } from '../tensor/errors.ts';

/** One row of `size` features a picture, `[count, size]`. */
export interface Features {
  readonly count: number;
  readonly size: number;
  readonly data: Float32Array | Float64Array;
}

/**
 * The squared distance of the two Gaussians with the sets' means and covariances (over n - 1).
 *
 *     |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2)
 *
 * With any roots S1 = A A', S2 = B B' the last trace is the sum of the singular values of A'B. The
 * centred features are such roots: 100 pictures of 2048 features need the singular values of a
 * 100x100 matrix, not the square root of a 2048x2048 one. Sets larger than their features are cut
 * down to a root as small as the covariance.
 *
 * @throws ShapeError when the sets have different features, or one has fewer than two rows.
 */
export function frechetDistance(a: Features, b: Features): number {
  for (const { count, size, data } of [a, b]) {
    if (count >= 2 && size === a.size && data.length === count * size) continue;
    throw new ShapeError(
      `frechet: expected two sets of at least 2 rows of ${a.size} features, ` +
        `got ${count}x${size} (${data.length} numbers).`,
    );
  }
  const [first, second] = [describe(a), describe(b)];
  const between = first.mean.reduce((sum, v, i) => sum + (v - second.mean[i]!) ** 2, 0);
  const trace = (m: Matrix): number => m.norm('frobenius') ** 2;
  const product = first.root.transpose().mmul(second.root);
  const { diagonal } = new SingularValueDecomposition(product, {
    autoTranspose: true,
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
  });
  const common = diagonal.reduce((sum, v) => sum + v, 0);
  return between + trace(first.root) + trace(second.root) - 2 * common;
}

/** The mean, and a root of the covariance, `[size, min(count, size)]`. */
function describe({ count, size, data }: Features): { mean: Float64Array; root: Matrix } {
  const mean = new Float64Array(size);
  for (let i = 0; i < data.length; i++) mean[i % size]! += data[i]! / count;
  const root = new Matrix(size, count);
  const scale = 1 / Math.sqrt(count - 1);
  for (let i = 0; i < data.length; i++) {
    const feature = i % size;
    root.set(feature, (i - feature) / size, (data[i]! - mean[feature]!) * scale);
  }
  return { mean, root: count > size ? squareRoot(root) : root };
}

/** A root `[n, n]` of A A', by its eigenvectors. */
function squareRoot(a: Matrix): Matrix {
  const covariance = a.mmul(a.transpose());
  const eigen = new EigenvalueDecomposition(covariance, { assumeSymmetric: true });
  const roots = eigen.realEigenvalues.map((value) => Math.sqrt(Math.max(value, 0)));
  return eigen.eigenvectorMatrix.mulRowVector(roots);
}
