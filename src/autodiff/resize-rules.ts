/** @file Gradient of Resize. */
import { averagePool, mul } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { ResizeAttributes } from '../graph/ops.ts';
import { alongAxis, resizeBackMatrix } from './linear-maps.ts';
import type { Applied } from './rule.ts';

/**
 * Resizing is linear along each axis: y = R·x, so dx = Rᵀ·dy. For nearest-neighbour enlargement by
 * whole factors Rᵀ sums over blocks, which is a mean over blocks times their size.
 */
export function resize(
  dy: Value,
  [x, , scales]: Applied['x'],
  attributes: ResizeAttributes,
): Value {
  const [from, to] = [x.shape, dy.shape] as [readonly number[], readonly number[]];
  const factors = to.map((size, axis) => size / from[axis]!);
  const given = scales?.constant?.data as Float32Array | undefined;
  if (isBlockwise(factors, given, attributes)) {
    const [fh, fw] = factors.slice(2) as [number, number];
    const kernel = [fh, fw] as const;
    const blocks = averagePool(dy, { kernel_shape: kernel, strides: kernel, pads: [0, 0, 0, 0] });
    return mul(blocks, fh * fw);
  }
  return to.reduce<Value>((dx, out, axis) => {
    const size = from[axis]!;
    const scale = given?.[axis] ?? Math.fround(out / size);
    if (size === out && scale === 1) return dx;
    return alongAxis(dx, axis, resizeBackMatrix(size, out, scale, attributes));
  }, dy);
}

function isBlockwise(
  factors: readonly number[],
  given: Float32Array | undefined,
  attributes: ResizeAttributes,
): boolean {
  return (
    attributes.mode === 'nearest' &&
    attributes.coordinate_transformation_mode === 'asymmetric' &&
    factors.length === 4 &&
    factors[0] === 1 &&
    factors[1] === 1 &&
    factors.every(
      (factor, axis) => Number.isInteger(factor) && (given?.[axis] ?? factor) === factor,
    )
  );
}
