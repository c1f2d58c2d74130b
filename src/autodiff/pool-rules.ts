/** @file Gradients of pooling over windows. */
import {
  add,
  concat,
  depthToSpace,
  equal,
  mul,
  pad,
  slice,
  sub,
  upsampleNearest,
  where,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { OpAttributes, PoolAttributes } from '../graph/ops.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';
import { alongAxis } from './linear-maps.ts';
import { border, spaceOut } from './shape-rules.ts';

/**
 * The element of each window that equals the maximum gets dy: the first such in reading order, as in
 * PyTorch. With x_k the k-th element of every window, what is left of dy goes from element to element:
 *
 *     r_0 = dy;   d_k = r_k where x_k = y, else 0;   r_(k+1) = r_k - d_k
 */
export function maxPool(dy: Value, x: Value, y: Value, attributes: PoolAttributes): Value {
  const { kernel_shape: kernel, strides, pads } = attributes;
  const padded = lowPadded(x, pads);
  const offsets = windowOffsets(kernel);
  const shares: Value[] = [];
  let rest = dy;
  for (const [i, j] of offsets) {
    const xk = slice(slice(padded, 2, ...every(i, 0)), 3, ...every(j, 1));
    const share = where(equal(xk, y), rest, 0);
    shares.push(share);
    if (shares.length < offsets.length) rest = sub(rest, share);
  }
  const [top, left, bottom, right] = pads;
  const dPadded = backToWindows(shares, padded, attributes);
  return border(border(dPadded, 2, -top, -bottom), 3, -left, -right);

  /** Bounds of a slice that takes one element of every window along an axis. */
  function every(offset: number, axis: 0 | 1): [start: number, end: number, step: number] {
    const step = strides[axis];
    return [offset, offset + ((y.shape[axis + 2] as number) - 1) * step + 1, step];
  }
}

/** Borders that no maximum takes. */
function lowPadded(x: Value, [top, left, bottom, right]: PoolAttributes['pads']): Value {
  if (top + left + bottom + right === 0) return x;
  const [height, width] = x.shape.slice(2) as [number, number];
  const outside = zeros('float32', [1, 1, top + height + bottom, left + width + right]);
  const rowLength = outside.shape[3]!;
  outside.data.fill(-3.4e38);
  for (let row = top; row < top + height; row++) {
    outside.data.fill(0, row * rowLength + left, row * rowLength + left + width);
  }
  const padded = pad(x, [0, 0, top, left], [0, 0, bottom, right]);
  return add(padded, x.graph.constant(outside));
}

function windowOffsets([kh, kw]: PoolAttributes['kernel_shape']): readonly [number, number][] {
  return Array.from({ length: kh * kw }, (_, k) => [Math.floor(k / kw), k % kw]);
}

/** Adds each window element's share `[N, C, OH, OW]` up where it came from. */
function backToWindows(
  shares: readonly Value[],
  like: Value,
  { kernel_shape: kernel, strides: [sh, sw] }: PoolAttributes,
): Value {
  const [height, width] = like.shape.slice(2) as [number, number];
  const fit = (x: Value, i: number, j: number): Value => {
    const rows = border(x, 2, i, height - i - (x.shape[2] as number));
    return border(rows, 3, j, width - j - (x.shape[3] as number));
  };
  if (kernel[0] === sh && kernel[1] === sw && sh === sw) {
    return fit(depthToSpace(concat(shares, 1), sh), 0, 0); // windows side by side
  }
  const offsets = windowOffsets(kernel);
  return shares
    .map((share, k) => fit(spaceOut(spaceOut(share, 2, sh), 3, sw), ...offsets[k]!))
    .reduce((sum, part) => add(sum, part));
}

/**
 * Each element of a window gets dy over the window's size. Averaging is linear along each axis,
 * y = A·x, so dx = Aᵀ·dy.
 */
export function averagePool(dy: Value, x: Value, attributes: OpAttributes['AveragePool']): Value {
  const { kernel_shape: kernel, strides, pads } = attributes;
  const sizes = x.shape.slice(2) as [number, number];
  const [factor] = kernel;
  const blocks = [kernel[1], ...strides].every((n) => n === factor) && pads.every((n) => n === 0);
  if (blocks) {
    const dx = mul(upsampleNearest(dy, factor), 1 / (factor * factor));
    const missing = sizes.map((size, i) => size - (dx.shape[i + 2] as number));
    return border(border(dx, 2, 0, missing[0]!), 3, 0, missing[1]!);
  }
  return sizes.reduce((dx, _, i) => alongAxis(dx, i + 2, averageBackMatrix(i as 0 | 1)), dy);

  /** `[size, out]` */
  function averageBackMatrix(i: 0 | 1): Tensor<'float32'> {
    const [size, out] = [sizes[i], dy.shape[i + 2] as number];
    const matrix = zeros('float32', [size, out]);
    for (let o = 0; o < out; o++) {
      const start = o * strides[i] - pads[i];
      const [from, to] = [Math.max(0, start), Math.min(size, start + kernel[i])];
      const count = attributes.count_include_pad ? kernel[i] : to - from;
      for (let r = from; r < to; r++) matrix.data[r * out + o] = 1 / count;
    }
    return matrix;
  }
}
