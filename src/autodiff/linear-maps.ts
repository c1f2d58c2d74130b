/** @file Operators that are linear along one axis, as matrices: what their gradients fall back to. */
import { matMul, reshape, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { OpAttributes, ResizeAttributes } from '../graph/ops.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';

/** `[out, in]` */
type Matrix = Tensor<'float32'>;

/** `y[..., j, ...] = Σ_i m[j, i]·x[..., i, ...]` along `axis`. @param m `[out, in]` */
export function alongAxis(x: Value, axis: number, m: Matrix): Value {
  const shape = x.shape as readonly number[];
  const matrix = x.graph.constant(m);
  const result = shape.with(axis, m.shape[0]!);
  const product = (sizes: readonly number[]): number => sizes.reduce((p, size) => p * size, 1);
  const [outer, inner] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
  if (inner === 1) {
    return reshape(matMul(reshape(x, [outer, shape[axis]!]), transpose(matrix, [1, 0])), result);
  }
  return reshape(matMul(matrix, reshape(x, [outer, shape[axis]!, inner])), result);
}

/** Adds a mirrored or repeated border back to the elements it was copied from. */
export function foldMatrix(
  size: number,
  before: number,
  after: number,
  mode: Exclude<OpAttributes['Pad']['mode'], 'constant'>,
): Matrix {
  const out = zeros('float32', [size, before + size + after]);
  for (let j = 0; j < out.shape[1]!; j++) {
    const i = mode === 'edge' ? clampIndex(j - before, size) : mirror(j - before, size);
    out.data[i * out.shape[1]! + j]! += 1;
  }
  return out;
}

const clampIndex = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);

/** -1 is 1, `size` is `size - 2`, and so on to and fro. */
function mirror(i: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const phase = ((i % period) + period) % period;
  return Math.min(phase, period - phase);
}

/**
 * Resizing from `size` to `out` elements, transposed: it carries gradients back.
 *
 * @param scale as onnxruntime has it, float32: given, or `out / size`
 * @returns `[size, out]`
 * @see https://onnx.ai/onnx/operators/onnx__Resize.html
 */
export function resizeBackMatrix(
  size: number,
  out: number,
  scale: number,
  attributes: ResizeAttributes,
): Matrix {
  const matrix = zeros('float32', [size, out]);
  for (let j = 0; j < out; j++) {
    const x = coordinate(j, size, out, scale, attributes.coordinate_transformation_mode);
    const add = (i: number, weight: number): void => {
      matrix.data[clampIndex(i, size) * out + j]! += weight;
    };
    if (attributes.mode === 'nearest') {
      add(Math.floor(x), 1);
    } else {
      const inside = Math.min(Math.max(x, 0), size - 1);
      const low = Math.floor(inside);
      add(low, 1 - (inside - low));
      add(low + 1, inside - low);
    }
  }
  return matrix;
}

/** Where the output element `j` lies among the input's. */
function coordinate(
  j: number,
  size: number,
  out: number,
  scale: number,
  mode: ResizeAttributes['coordinate_transformation_mode'],
): number {
  const round = Math.fround;
  if (mode === 'asymmetric') return round(j / scale);
  if (mode === 'half_pixel') return round(round((j + 0.5) / scale) - 0.5);
  return out === 1 ? 0 : round(round(j * (size - 1)) / (out - 1));
}
