/** @file Shapes and types of what each operator computes, found while the graph is built. */
import type { DType } from '../tensor/dtype.ts';
import { ShapeError } from '../tensor/errors.ts';
import { addDims, type Dim, mapDim, multiplyDims, printShape } from './dims.ts';
import type { Value } from './graph.ts';
import type { ConvAttributes, OpAttributes, OpType, PoolAttributes } from './ops.ts';

interface Output {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

type Inputs = readonly (Value | undefined)[];
type Infer<K extends OpType> = (inputs: Inputs, attributes: OpAttributes[K]) => Output;

/**
 * The type and shape of a node's output.
 *
 * @throws ShapeError naming the node when its inputs do not fit.
 */
export function inferOutputs<K extends OpType>(
  op: K,
  inputs: Inputs,
  attributes: OpAttributes[K],
  name: string,
): Output {
  try {
    return table[op](inputs, attributes);
  } catch (cause) {
    if (!(cause instanceof ShapeError)) throw cause;
    const shapes = inputs.map((x) => (x ? printShape(x.shape) : '-')).join(', ');
    throw new ShapeError(`${name}: ${cause.message} Inputs: ${shapes}.`, { cause });
  }
}

function need(inputs: Inputs, index: number): Value {
  const value = inputs[index];
  if (!value) throw new ShapeError(`expected an input ${index}, got none.`);
  return value;
}

const same: Infer<OpType> = (inputs) => {
  const { dtype, shape } = need(inputs, 0);
  return { dtype, shape };
};

/** Numpy's broadcasting, over all inputs that are there. */
const broadcast: Infer<OpType> = (inputs) => {
  const present = inputs.filter((x) => x !== undefined);
  const dtype = present.at(-1)!.dtype;
  return { dtype, shape: broadcastShapes(present.map((x) => x.shape)) };
};

const comparison: Infer<OpType> = (inputs, attributes) => ({
  ...broadcast(inputs, attributes),
  dtype: 'bool',
});

/** The shape that `shapes` broadcast to. */
export function broadcastShapes(shapes: readonly (readonly Dim[])[]): readonly Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1;
      if (dim === 1) continue;
      if (size !== 1 && size !== dim) {
        throw new ShapeError(`cannot broadcast ${shapes.map(printShape).join(' with ')}.`);
      }
      size = dim;
    }
    return size;
  });
}

/** The int64 contents of a constant input, such as a target shape or the axes of a sum. */
export function constantInts(value: Value | undefined): readonly number[] | undefined {
  return value?.constant ? Array.from(value.constant.data as BigInt64Array, Number) : undefined;
}

function needInts(inputs: Inputs, index: number): readonly number[] {
  const ints = constantInts(inputs[index]);
  if (!ints) throw new ShapeError(`expected a constant as input ${index}.`);
  return ints;
}

function reshape(inputs: Inputs): Output {
  const x = need(inputs, 0);
  const like = inputs[1]!.node;
  if (like?.op === 'Shape') return { dtype: x.dtype, shape: like.inputs[0]!.shape };
  const target = needInts(inputs, 1);
  const kept = target.map((size, axis) => (size === 0 ? x.shape[axis]! : size));
  const rest = kept.indexOf(-1);
  if (rest < 0) {
    if (multiplyDims(kept) !== multiplyDims(x.shape)) {
      throw new ShapeError(`cannot reshape to ${printShape(kept)}.`);
    }
    return { dtype: x.dtype, shape: kept };
  }
  const shape = [...kept];
  shape[rest] = divideDims(
    x.shape,
    kept.filter((_, axis) => axis !== rest),
  );
  return { dtype: x.dtype, shape };
}

/** The product of `dims` over that of `by`, common factors cancelled first. */
function divideDims(dims: readonly Dim[], by: readonly Dim[]): Dim {
  const left = [...dims];
  let divisor = 1;
  for (const dim of by) {
    const at = left.indexOf(dim);
    if (at >= 0) left.splice(at, 1);
    else if (typeof dim === 'number') divisor *= dim;
    else throw new ShapeError(`cannot divide ${printShape(dims)} by ${printShape(by)}.`);
  }
  const known = left.reduce<number>((p, dim) => (typeof dim === 'number' ? p * dim : p), 1);
  if (known % divisor === 0) {
    return multiplyDims([known / divisor, ...left.filter((dim) => typeof dim === 'string')]);
  }
  const symbolic = left.filter((dim) => typeof dim === 'string');
  if (symbolic.length !== 1) {
    throw new ShapeError(`cannot divide ${printShape(dims)} by ${printShape(by)}.`);
  }
  return mapDim(symbolic[0]!, { mul: known, div: divisor });
}

function reduce(inputs: Inputs, { keepdims }: { keepdims: 0 | 1 }): Output {
  const x = need(inputs, 0);
  const axes = constantInts(inputs[1])?.map((axis) => (axis + x.shape.length) % x.shape.length);
  const gone = (axis: number): boolean => axes === undefined || axes.includes(axis);
  const shape = keepdims
    ? x.shape.map((dim, axis) => (gone(axis) ? 1 : dim))
    : x.shape.filter((_, axis) => !gone(axis));
  return { dtype: x.dtype, shape };
}

function window(x: Value, attributes: PoolAttributes & { dilations?: readonly number[] }): Dim[] {
  const { kernel_shape, strides, pads } = attributes;
  return [0, 1].map((i) => {
    const extent = (kernel_shape[i]! - 1) * (attributes.dilations?.[i] ?? 1) + 1;
    const slack = pads[i]! + pads[i + 2]! - extent;
    const size = mapDim(x.shape[i + 2]!, { add: slack + strides[i]!, div: strides[i]! });
    if (typeof size === 'number' && size <= 0) throw new ShapeError('the window does not fit.');
    return size;
  });
}

function conv(inputs: Inputs, attributes: ConvAttributes): Output {
  const [x, w] = [need(inputs, 0), need(inputs, 1)];
  const [out, channels] = w.shape as number[];
  if (x.shape.length !== 4 || x.shape[1] !== channels! * attributes.group) {
    throw new ShapeError(`expected ${channels! * attributes.group} input channels.`);
  }
  return { dtype: x.dtype, shape: [x.shape[0]!, out!, ...window(x, attributes)] };
}

/** @see com.microsoft.NhwcConv: x `[N, H, W, C]`, weight `[out, kh, kw, C]` */
function nhwcConv(inputs: Inputs, attributes: ConvAttributes): Output {
  const [x, w] = [need(inputs, 0), need(inputs, 1)];
  const [n, h, breadth, channels] = x.shape;
  if (x.shape.length !== 4 || channels !== w.shape[3] || attributes.group !== 1) {
    throw new ShapeError(`expected ${w.shape[3]} input channels, last, in one group.`);
  }
  const first = { ...x, shape: [n!, channels!, h!, breadth!] };
  const [height, width] = window(first, attributes);
  return { dtype: x.dtype, shape: [n!, height!, width!, w.shape[0]!] };
}

function pool(inputs: Inputs, attributes: PoolAttributes): Output {
  const x = need(inputs, 0);
  return { dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, ...window(x, attributes)] };
}

function matMul(inputs: Inputs): Output {
  const [a, b] = [need(inputs, 0), need(inputs, 1)];
  const [m, k] = a.shape.slice(-2);
  const [k2, n] = b.shape.slice(-2);
  if (k !== k2) throw new ShapeError('the inner sizes differ.');
  const batch = broadcastShapes([a.shape.slice(0, -2), b.shape.slice(0, -2), []]);
  return { dtype: a.dtype, shape: [...batch, m!, n!] };
}

function slice(inputs: Inputs): Output {
  const x = need(inputs, 0);
  const [starts, ends, axes] = [1, 2, 3].map((i) => needInts(inputs, i)) as number[][];
  const steps = inputs[4] ? needInts(inputs, 4) : axes!.map(() => 1);
  const shape = [...x.shape];
  axes!.forEach((axis, i) => {
    const [size, start, end, step] = [shape[axis]!, starts![i]!, ends![i]!, steps[i]!];
    if (typeof size === 'number') {
      const clampTo = (v: number, low: number, high: number): number =>
        Math.min(high, Math.max(low, v < 0 ? v + size : v));
      const [from, to] =
        step > 0
          ? [clampTo(start, 0, size), clampTo(end, 0, size)]
          : [clampTo(start, 0, size - 1), end < -size ? -1 : clampTo(end, -1, size - 1)];
      shape[axis] = Math.max(0, Math.ceil((to - from) / step));
    } else if (step === 1 && start >= 0 && end < 0) {
      shape[axis] = mapDim(size, { add: end - start });
    } else if (step === 1 && start >= 0 && end >= 2 ** 31) {
      shape[axis] = mapDim(size, { add: -start });
    } else if (step === 1 && start >= 0 && end >= start) {
      shape[axis] = end - start;
    } else {
      throw new ShapeError(`cannot slice the symbolic size ${size} so.`);
    }
  });
  return { dtype: x.dtype, shape };
}

function pad(inputs: Inputs): Output {
  const x = need(inputs, 0);
  const pads = needInts(inputs, 1);
  const rank = x.shape.length;
  const shape = x.shape.map((dim, i) => mapDim(dim, { add: pads[i]! + pads[i + rank]! }));
  return { dtype: x.dtype, shape };
}

function resize(inputs: Inputs): Output {
  const x = need(inputs, 0);
  if (inputs[3]) return { dtype: x.dtype, shape: needInts(inputs, 3) };
  const scales = Array.from(need(inputs, 2).constant!.data as Float32Array);
  const shape = x.shape.map((dim, i) =>
    typeof dim === 'number' ? Math.floor(dim * scales[i]!) : mapDim(dim, { mul: scales[i]! }),
  );
  return { dtype: x.dtype, shape };
}

const castTypes: { readonly [to: number]: DType } = {
  1: 'float32',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
};

const table: { readonly [K in OpType]: Infer<K> } = {
  Add: broadcast,
  Sub: broadcast,
  Mul: broadcast,
  Div: broadcast,
  Pow: broadcast,
  Max: broadcast,
  Min: broadcast,
  Where: broadcast,
  Equal: comparison,
  Greater: comparison,
  Less: comparison,
  Neg: same,
  Abs: same,
  Sign: same,
  Sqrt: same,
  Reciprocal: same,
  Exp: same,
  Log: same,
  Sin: same,
  Cos: same,
  Erf: same,
  Tanh: same,
  Sigmoid: same,
  Softplus: same,
  Relu: same,
  LeakyRelu: same,
  Gelu: same,
  QuickGelu: same,
  Floor: same,
  Cast: (inputs, { to }) => ({ dtype: castTypes[to]!, shape: need(inputs, 0).shape }),
  Identity: same,
  Shape: (inputs) => ({ dtype: 'int64', shape: [need(inputs, 0).shape.length] }),
  Reshape: reshape,
  Expand: (inputs) => {
    const [x, like] = [need(inputs, 0), inputs[1]!.node];
    const target = like?.op === 'Shape' ? like.inputs[0]!.shape : needInts(inputs, 1);
    return { dtype: x.dtype, shape: broadcastShapes([x.shape, target]) };
  },
  Transpose: (inputs, { perm }) => {
    const x = need(inputs, 0);
    if (perm.length !== x.shape.length) throw new ShapeError(`expected rank ${perm.length}.`);
    return { dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) };
  },
  Concat: (inputs, { axis }) => {
    const values = inputs.map((_, i) => need(inputs, i));
    const shape = values[0]!.shape.map((dim, i) =>
      i === axis ? addDims(values.map((x) => x.shape[axis]!)) : dim,
    );
    const misfit = values.find((x) => x.shape.some((dim, i) => i !== axis && dim !== shape[i]));
    if (misfit) throw new ShapeError(`sizes off axis ${axis} differ.`);
    return { dtype: values[0]!.dtype, shape };
  },
  Slice: slice,
  Pad: pad,
  Gather: (inputs, { axis }) => {
    const [x, indices] = [need(inputs, 0), need(inputs, 1)];
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return { dtype: x.dtype, shape };
  },
  SpaceToDepth: (inputs, { blocksize: b }) => {
    const [n, c, h, w] = need(inputs, 0).shape as [Dim, Dim, Dim, Dim];
    const shape = [n, mapDim(c, { mul: b * b }), mapDim(h, { div: b }), mapDim(w, { div: b })];
    return { dtype: need(inputs, 0).dtype, shape };
  },
  DepthToSpace: (inputs, { blocksize: b }) => {
    const [n, c, h, w] = need(inputs, 0).shape as [Dim, Dim, Dim, Dim];
    const shape = [n, mapDim(c, { div: b * b }), mapDim(h, { mul: b }), mapDim(w, { mul: b })];
    return { dtype: need(inputs, 0).dtype, shape };
  },
  Resize: resize,
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  MatMul: matMul,
  Softmax: same,
  Conv: conv,
  ConvTranspose: (inputs, attributes) => {
    const [x, w] = [need(inputs, 0), need(inputs, 1)];
    const { kernel_shape, strides, pads, dilations, output_padding, group } = attributes;
    if (x.shape[1] !== w.shape[0]) throw new ShapeError(`expected ${w.shape[0]} input channels.`);
    const sizes = [0, 1].map((i) => {
      const extent = (kernel_shape[i]! - 1) * dilations[i]! + 1 + output_padding[i]!;
      const add = extent - strides[i]! - pads[i]! - pads[i + 2]!;
      return mapDim(x.shape[i + 2]!, { mul: strides[i]!, add });
    });
    return { dtype: x.dtype, shape: [x.shape[0]!, (w.shape[1] as number) * group, ...sizes] };
  },
  MaxPool: pool,
  AveragePool: pool,
  InstanceNormalization: same,
  LayerNormalization: same,
  MultiHeadAttention: (inputs) => {
    const [q, v] = [need(inputs, 0), need(inputs, 2)];
    return { dtype: q.dtype, shape: [q.shape[0]!, q.shape[1]!, v.shape[2]!] };
  },
  Attention: (inputs) => {
    const [q, v] = [need(inputs, 0), need(inputs, 2)];
    return { dtype: q.dtype, shape: [q.shape[0]!, q.shape[1]!, v.shape[2]!] };
  },
  NhwcConv: nhwcConv,
  GroupNorm: same,
};
