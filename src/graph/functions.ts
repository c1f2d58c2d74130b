/** @file One function an operator: what layers, losses and gradient rules are written with. */
import type { DType } from '../tensor/dtype.ts';
import { float32ToFloat16 } from '../tensor/float16.ts';
import { float32, tensor } from '../tensor/tensor.ts';
import { type Dim, isStatic, multiplyDims } from './dims.ts';
import type { Graph, Value } from './graph.ts';
import type { ConvAttributes, OpAttributes, OpType, PoolAttributes } from './ops.ts';

/** A value, or a number that becomes a float32 scalar. */
export type Operand = Value | number;

function operands(a: Operand, b: Operand): [Value, Value] {
  if (typeof a === 'number') return [numberLike(b as Value, a), b as Value];
  return [a, typeof b === 'number' ? numberLike(a, b) : b];
}

function binary(op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Max' | 'Min'): BinaryFunction {
  return (a, b) => {
    const inputs = operands(a, b);
    return inputs[0].graph.add(op, inputs, {});
  };
}

function compare(op: 'Equal' | 'Greater' | 'Less'): BinaryFunction {
  return (a, b) => {
    const inputs = operands(a, b);
    return inputs[0].graph.add(op, inputs, {});
  };
}

type Plain = {
  [K in OpType]: keyof OpAttributes[K] extends never ? K : never;
}[OpType];

function unary(op: Plain): UnaryFunction {
  return (x) => x.graph.add(op, [x], {});
}

/** An elementwise operator of two operands, broadcasting as numpy does. */
export type BinaryFunction = (a: Operand, b: Operand) => Value;

/** An elementwise operator of one. */
export type UnaryFunction = (x: Value) => Value;

export const add: BinaryFunction = binary('Add');
export const sub: BinaryFunction = binary('Sub');
export const mul: BinaryFunction = binary('Mul');
export const div: BinaryFunction = binary('Div');
export const pow: BinaryFunction = binary('Pow');
export const maximum: BinaryFunction = binary('Max');
export const minimum: BinaryFunction = binary('Min');
export const equal: BinaryFunction = compare('Equal');
export const greater: BinaryFunction = compare('Greater');
export const less: BinaryFunction = compare('Less');
export const neg: UnaryFunction = unary('Neg');
export const abs: UnaryFunction = unary('Abs');
export const sign: UnaryFunction = unary('Sign');
export const sqrt: UnaryFunction = unary('Sqrt');
export const reciprocal: UnaryFunction = unary('Reciprocal');
export const exp: UnaryFunction = unary('Exp');
export const log: UnaryFunction = unary('Log');
export const sin: UnaryFunction = unary('Sin');
export const cos: UnaryFunction = unary('Cos');
export const erf: UnaryFunction = unary('Erf');
export const tanh: UnaryFunction = unary('Tanh');
export const sigmoid: UnaryFunction = unary('Sigmoid');
export const softplus: UnaryFunction = unary('Softplus');
export const relu: UnaryFunction = unary('Relu');
export const floor: UnaryFunction = unary('Floor');
export const shapeOf: UnaryFunction = unary('Shape');
export const identity: UnaryFunction = unary('Identity');

export function leakyRelu(x: Value, alpha: number): Value {
  return x.graph.add('LeakyRelu', [x], { alpha });
}

/** `x * Phi(x)`, exact (erf) or by tanh. */
export function gelu(x: Value, approximate: 'none' | 'tanh' = 'none'): Value {
  return x.graph.add('Gelu', [x], { approximate });
}

/** `x * sigmoid(alpha * x)`: SiLU for alpha 1, CLIP's quick gelu for 1.702. */
export function quickGelu(x: Value, alpha: number): Value {
  return x.graph.add('QuickGelu', [x], { alpha });
}

/** `condition ? a : b`, elementwise. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const [x, y] = [a, b].map((v) => (typeof v === 'number' ? scalar(condition.graph, v) : v));
  return condition.graph.add('Where', [condition, x, y], {});
}

export function cast(x: Value, dtype: DType): Value {
  const to = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11, bfloat16: 16 }[
    dtype as 'float32'
  ];
  return x.dtype === dtype ? x : x.graph.add('Cast', [x], { to });
}

/** A float32 constant of rank 0. */
export function scalar(graph: Graph, value: number): Value {
  return graph.constant(float32([], [value]));
}

/** A constant of rank 0 in the type of `like`, where that is float16. */
function numberLike(like: Value, value: number): Value {
  if (like.dtype !== 'float16') return scalar(like.graph, value);
  return like.graph.constant(tensor('float16', [], float32ToFloat16(Float32Array.of(value))));
}

/** An int64 constant of rank 1, as shapes, axes and pads are given. */
export function ints(graph: Graph, values: readonly number[]): Value {
  const data = BigInt64Array.from(values, (value) => BigInt(value));
  return graph.constant(tensor('int64', [values.length], data));
}

/**
 * `x` in another shape of as many elements. `-1` stands for what is left over, once; a symbolic size
 * must stand where `x` has it too.
 */
export function reshape(x: Value, shape: readonly Dim[]): Value {
  const target = shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    return x.shape[axis] === dim ? 0 : -1;
  });
  return x.graph.add('Reshape', [x, ints(x.graph, target)], {});
}

/** `x` in the shape of `like`, which may be known at run time only. */
export function reshapeLike(x: Value, like: Value): Value {
  if (isStatic(like.shape)) return reshape(x, like.shape);
  return x.graph.add('Reshape', [x, shapeOf(like)], {});
}

/** `x` repeated along its axes of size 1 until it has the shape of `like`. */
export function expandLike(x: Value, like: Value): Value {
  const target = isStatic(like.shape) ? ints(x.graph, like.shape) : shapeOf(like);
  return x.graph.add('Expand', [x, target], {});
}

export function transpose(x: Value, perm: readonly number[]): Value {
  return x.graph.add('Transpose', [x], { perm });
}

export function concat(values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : values[0]!.graph.add('Concat', values, { axis });
}

/** `x[start:end]` along one axis; `end` may be left out or count from the end. */
export function slice(
  x: Value,
  axis: number,
  start: number,
  end: number = 2 ** 31,
  step = 1,
): Value {
  const { graph } = x;
  const bounds = [start, end, axis, step].map((n) => ints(graph, [n]));
  return graph.add('Slice', [x, ...bounds], {});
}

/** Adds `before` and `after` elements on each axis, zeros by default. */
export function pad(
  x: Value,
  before: readonly number[],
  after: readonly number[],
  mode: 'constant' | 'reflect' | 'edge' = 'constant',
): Value {
  return x.graph.add('Pad', [x, ints(x.graph, [...before, ...after])], { mode });
}

/** Rows of `x` by index along `axis`. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  return x.graph.add('Gather', [x, indices], { axis });
}

export function spaceToDepth(x: Value, blocksize: number): Value {
  return x.graph.add('SpaceToDepth', [x], { blocksize });
}

export function depthToSpace(x: Value, blocksize: number, mode: 'DCR' | 'CRD' = 'DCR'): Value {
  return x.graph.add('DepthToSpace', [x], { blocksize, mode });
}

/** Nearest-neighbour enlargement `[N, C, H, W] -> [N, C, factor*H, factor*W]`. */
export function upsampleNearest(x: Value, factor: number): Value {
  const scales = x.graph.constant(float32([4], [1, 1, factor, factor]));
  return x.graph.add('Resize', [x, undefined, scales], nearest);
}

/** Nearest-neighbour resizing to a fixed size, as PyTorch's `interpolate(size=...)`. */
export function resizeNearest(x: Value, height: number, width: number): Value {
  const sizes = ints(x.graph, [...(x.shape.slice(0, 2) as number[]), height, width]);
  return x.graph.add('Resize', [x, undefined, undefined, sizes], nearest);
}

const nearest: OpAttributes['Resize'] = {
  mode: 'nearest',
  coordinate_transformation_mode: 'asymmetric',
  nearest_mode: 'floor',
};

function reduction(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax'): ReduceFunction {
  return (x, axes, keepdims = true) => {
    const positive = axes.map((axis) => (axis + x.shape.length) % x.shape.length);
    return x.graph.add(op, [x, ints(x.graph, positive)], { keepdims: keepdims ? 1 : 0 });
  };
}

/** A reduction over `axes`, which stay as size 1 unless `keepdims` is false. */
export type ReduceFunction = (x: Value, axes: readonly number[], keepdims?: boolean) => Value;

export const sum: ReduceFunction = reduction('ReduceSum');
export const mean: ReduceFunction = reduction('ReduceMean');
export const max: ReduceFunction = reduction('ReduceMax');

/** The mean of all elements, a scalar. */
export function meanAll(x: Value): Value {
  return mean(
    x,
    x.shape.map((_, axis) => axis),
    false,
  );
}

export function matMul(a: Value, b: Value): Value {
  return a.graph.add('MatMul', [a, b], {});
}

export function softmax(x: Value, axis = -1): Value {
  return x.graph.add('Softmax', [x], { axis });
}

/** Convolution options; strides, pads and dilations default to 1, 0 and 1. */
export interface ConvOptions {
  strides?: readonly [number, number];
  /** top, left, bottom, right */
  pads?: readonly [number, number, number, number];
  dilations?: readonly [number, number];
  group?: number;
}

/** @param w `[out, in / group, kh, kw]` @param b `[out]` */
export function conv2d(x: Value, w: Value, b?: Value, options: ConvOptions = {}): Value {
  return x.graph.add('Conv', b ? [x, w, b] : [x, w], convAttributes(w, options));
}

/** @param w `[in, out / group, kh, kw]`, as of the convolution whose input gradient this is */
export function convTranspose2d(
  x: Value,
  w: Value,
  options: ConvOptions & { outputPadding?: readonly [number, number] } = {},
): Value {
  const output_padding = options.outputPadding ?? ([0, 0] as const);
  return x.graph.add('ConvTranspose', [x, w], { ...convAttributes(w, options), output_padding });
}

function convAttributes(w: Value, options: ConvOptions): ConvAttributes {
  return {
    kernel_shape: [w.shape[2] as number, w.shape[3] as number],
    strides: options.strides ?? [1, 1],
    pads: options.pads ?? [0, 0, 0, 0],
    dilations: options.dilations ?? [1, 1],
    group: options.group ?? 1,
  };
}

export function maxPool(x: Value, attributes: PoolAttributes): Value {
  return x.graph.add('MaxPool', [x], attributes);
}

/** @param countPadding whether padding counts as zeros, or is left out of the averages */
export function averagePool(x: Value, attributes: PoolAttributes, countPadding = true): Value {
  return x.graph.add('AveragePool', [x], {
    ...attributes,
    count_include_pad: countPadding ? 1 : 0,
  });
}

/** Clamps to `[low, high]`; the gradient is 0 outside, as PyTorch's `clamp`. */
export function clamp(x: Value, low: number, high: number): Value {
  return minimum(maximum(x, low), high);
}

/** `x^2`. */
export function square(x: Value): Value {
  return mul(x, x);
}

/** How many elements a value has, where all its sizes are known. */
export function size(x: Value): number {
  return multiplyDims(x.shape) as number;
}
