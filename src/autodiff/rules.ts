/** @file The gradient rule of every operator: one line, or the name of a function that derives it. */
import * as op from '../graph/functions.ts';
import type { OpType } from '../graph/ops.ts';
import { ShapeError } from '../tensor/errors.ts';
import { multiHeadAttention } from './attention-rules.ts';
import { conv, convTranspose } from './conv-rules.ts';
import { exactGelu, powBase, powExponent, quickGelu, tanhGelu } from './elementwise-rules.ts';
import { matMul } from './matmul-rules.ts';
import { instanceNormalization, layerNormalization } from './norm-rules.ts';
import { averagePool, maxPool } from './pool-rules.ts';
import { reduceMax, spread, spreadMean } from './reduce-rules.ts';
import { resize } from './resize-rules.ts';
import type { Rule } from './rule.ts';
import { concat, depthToSpace, gather, inverse, pad, slice } from './shape-rules.ts';

/** For operators that are flat wherever they are differentiable, or compute no real numbers. */
export const flat: Rule = () => [null, null];

/** For operators of inference, which graphs for training never have. */
export const inferenceOnly: Rule = () => {
  throw new ShapeError(
    'autodiff: expected the operators of training, got one of CUDA’s. Build with training: true.',
  );
};

/**
 * dL/dx per input, given dy = dL/dy. `null`: not differentiable, or flat.
 *
 * Where a rule has a choice (ties, kinks) it does what PyTorch does.
 */
// prettier-ignore
export const rules: { readonly [K in OpType]: Rule<K> } = {
  // elementwise, with broadcasting
  Add:     (dy)                       => [() => dy, () => dy],
  Sub:     (dy)                       => [() => dy, () => op.neg(dy)],
  Mul:     (dy, { x: [a, b] })        => [() => op.mul(dy, b), () => op.mul(dy, a)],
  Div:     (dy, { x: [, b], y })      => [() => op.div(dy, b), () => op.neg(op.div(op.mul(dy, y), b))],
  Pow:     (dy, { x: [a, b], y })     => [() => powBase(dy, a, b), () => powExponent(dy, a, y)],
  Max:     (dy, { x: [a, b] })        => [() => op.where(op.less(a, b), 0, dy), () => op.where(op.less(a, b), dy, 0)],
  Min:     (dy, { x: [a, b] })        => [() => op.where(op.greater(a, b), 0, dy), () => op.where(op.greater(a, b), dy, 0)],
  Where:   (dy, { x: [c] })           => [null, () => op.where(c, dy, 0), () => op.where(c, 0, dy)],
  Equal:   flat,
  Greater: flat,
  Less:    flat,
  // elementwise, one input
  Neg:        (dy)                    => [() => op.neg(dy)],
  Abs:        (dy, { x: [x] })        => [() => op.mul(dy, op.sign(x))],
  Sign:       flat,
  Sqrt:       (dy, { y })             => [() => op.div(op.mul(dy, 0.5), y)],
  Reciprocal: (dy, { y })             => [() => op.neg(op.mul(dy, op.square(y)))],
  Exp:        (dy, { y })             => [() => op.mul(dy, y)],
  Log:        (dy, { x: [x] })        => [() => op.div(dy, x)],
  Sin:        (dy, { x: [x] })        => [() => op.mul(dy, op.cos(x))],
  Cos:        (dy, { x: [x] })        => [() => op.neg(op.mul(dy, op.sin(x)))],
  Erf:        (dy, { x: [x] })        => [() => op.mul(dy, op.mul(op.exp(op.neg(op.square(x))), 2 / Math.sqrt(Math.PI)))],
  Tanh:       (dy, { y })             => [() => op.mul(dy, op.sub(1, op.square(y)))],
  Sigmoid:    (dy, { y })             => [() => op.mul(dy, op.mul(y, op.sub(1, y)))],
  Softplus:   (dy, { x: [x] })        => [() => op.mul(dy, op.sigmoid(x))],
  Relu:       (dy, { y })             => [() => op.where(op.greater(y, 0), dy, 0)],
  LeakyRelu:  (dy, { x: [x], attr })  => [() => op.where(op.greater(x, 0), dy, op.mul(dy, attr.alpha))],
  Gelu:       (dy, { x: [x], attr })  => [() => (attr.approximate === 'tanh' ? tanhGelu : exactGelu)(dy, x)],
  QuickGelu:  (dy, { x: [x], y, attr }) => [() => quickGelu(dy, x, y, attr.alpha)],
  Floor:      flat,
  Cast:       (dy, { x: [x] })        => [x.dtype.includes('float') ? () => op.cast(dy, x.dtype) : null],
  Identity:   (dy)                    => [() => dy],
  // shape
  Shape:        flat,
  Reshape:      (dy, { x: [x] })        => [() => op.reshapeLike(dy, x), null],
  Expand:       (dy)                    => [() => dy, null],
  Transpose:    (dy, { attr })          => [() => op.transpose(dy, inverse(attr.perm))],
  Concat:       (dy, { x, attr })       => concat(dy, x, attr.axis),
  Slice:        (dy, { x })             => [() => slice(dy, x), null, null, null, null],
  Pad:          (dy, { x, attr })       => [() => pad(dy, x, attr.mode), null],
  Gather:       (dy, { x, attr })       => [() => gather(dy, x, attr.axis), null],
  SpaceToDepth: (dy, { attr })          => [() => op.depthToSpace(dy, attr.blocksize)],
  DepthToSpace: (dy, { attr })          => [() => depthToSpace(dy, attr)],
  Resize:       (dy, { x, attr })       => [() => resize(dy, x, attr), null, null, null],
  // sums and products
  ReduceSum:  (dy, { x: [x, axes], attr })    => [() => spread(dy, x, axes, attr), null],
  ReduceMean: (dy, { x: [x, axes], attr })    => [() => spreadMean(dy, x, axes, attr), null],
  ReduceMax:  (dy, { x: [x, axes], y, attr }) => [() => reduceMax(dy, x, y, axes, attr), null],
  MatMul:     (dy, { x: [a, b] })             => matMul(dy, a, b),
  Softmax:    (dy, { y, attr })               => [() => op.mul(y, op.sub(dy, op.sum(op.mul(y, dy), [attr.axis])))],
  // layers
  Conv:                  (dy, { x, attr })          => conv(dy, x, attr),
  ConvTranspose:         (dy, { x, attr })          => convTranspose(dy, x, attr),
  MaxPool:               (dy, { x: [x], y, attr })  => [() => maxPool(dy, x, y, attr)],
  AveragePool:           (dy, { x: [x], attr })     => [() => averagePool(dy, x, attr)],
  InstanceNormalization: (dy, { x, y, attr })       => instanceNormalization(dy, x, y, attr.epsilon),
  LayerNormalization:    (dy, { x, attr })          => layerNormalization(dy, x, attr),
  MultiHeadAttention:    (dy, { x, y, attr })       => multiHeadAttention(dy, x, y, attr),
  Attention: inferenceOnly,
  NhwcConv:  inferenceOnly,
  GroupNorm: inferenceOnly,
};
