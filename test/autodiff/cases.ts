/** @file One or more awkward cases for every operator with a gradient. */
import * as op from '../../src/graph/functions.ts';
import type { Graph, Value } from '../../src/graph/graph.ts';
import { float32, tensor } from '../../src/tensor/tensor.ts';
import type { Build } from './finite-differences.ts';

/** A title, what to build, and the shapes of its inputs. */
export type Case = readonly [title: string, build: Build, ...inputs: string[]];

const conv =
  (options: op.ConvOptions = {}): Build =>
  (x, w, b) =>
    op.conv2d(x, w, b, options);

const resize =
  (
    attributes: Parameters<Graph['add']>[2] & object,
    [height, width]: readonly [number, number],
  ): Build =>
  (x) => {
    const sizes = op.ints(x.graph, [x.shape[0] as number, x.shape[1] as number, height, width]);
    return x.graph.add('Resize', [x, undefined, undefined, sizes], attributes as never);
  };

const ones = (graph: Graph, size: number, value: number): Value =>
  graph.constant(
    float32(
      [size],
      Array.from({ length: size }, () => value),
    ),
  );

// prettier-ignore
export const cases: readonly Case[] = [
  // elementwise
  ['addition, both broadcast', (a, b) => op.add(a, b), '2x1x3', '4x1'],
  ['addition of a scalar', (a, b) => op.add(a, b), '2x3', 'scalar'],
  ['subtraction', (a, b) => op.sub(a, b), '2x3', '3'],
  ['multiplication, broadcast', (a, b) => op.mul(a, b), '2x3', '1x3'],
  ['a square, one value twice', (a) => op.mul(a, a), '5'],
  ['division', (a, b) => op.div(a, b), '2x3', '2x1 in 0.5..2'],
  ['a power with whole exponents of negative bases', (a) => op.pow(a, 3), '2x4'],
  ['a power in base and exponent', (a, b) => op.pow(a, b), '2x3 in 0.5..2', '3'],
  ['maximum', (a, b) => op.maximum(a, b), '2x3', '1x3 in -1..0.9'],
  ['minimum', (a, b) => op.minimum(a, b), '2x3', '2x1 in -1..0.9'],
  ['clamp', (a) => op.clamp(a, -0.45, 0.35), '10'],
  ['where', (a, b) => op.where(op.greater(a, 0), op.mul(a, 2), b), '2x4', '4'],
  ['negation', (a) => op.neg(a), '3'],
  ['absolute value', (a) => op.abs(a), '2x3'],
  ['square root', (a) => op.sqrt(a), '2x3 in 0.5..2'],
  ['reciprocal', (a) => op.reciprocal(a), '2x3 in 0.5..2'],
  ['exponential', (a) => op.exp(a), '2x3'],
  ['logarithm', (a) => op.log(a), '2x3 in 0.5..2'],
  ['sine', (a) => op.sin(a), '2x3 in -3..3'],
  ['cosine', (a) => op.cos(a), '2x3 in -3..3'],
  ['erf', (a) => op.erf(a), '2x4'],
  ['tanh', (a) => op.tanh(a), '2x4'],
  ['sigmoid', (a) => op.sigmoid(a), '2x4 in -3..3'],
  ['softplus', (a) => op.softplus(a), '2x4 in -3..3'],
  ['relu', (a) => op.relu(a), '2x4'],
  ['leaky relu', (a) => op.leakyRelu(a, 0.2), '2x4'],
  ['gelu', (a) => op.gelu(a), '2x6 in -3..3'],
  ['gelu by tanh', (a) => op.gelu(a, 'tanh'), '2x6 in -3..3'],
  ['silu', (a) => op.quickGelu(a, 1), '2x6 in -3..3'],
  ['quick gelu', (a) => op.quickGelu(a, 1.702), '2x6 in -3..3'],
  ['a cast there and back', (a) => op.cast(op.cast(a, 'float64'), 'float32'), '3'],
  ['identity', (a) => op.identity(a), '3'],
  // shape
  ['reshape', (a) => op.reshape(a, [3, -1]), '2x3x2'],
  ['reshape like another', (a, b) => op.mul(op.reshapeLike(a, b), b), '2x3', '6'],
  ['expand', (a, b) => op.mul(op.expandLike(a, b), b), '1x3', '2x3'],
  ['transpose', (a) => op.transpose(a, [2, 0, 1]), '2x3x4'],
  ['concat of unequal parts', (a, b, c) => op.concat([a, b, c], 1), '2x1', '2x3', '2x2'],
  ['concat of one value twice', (a) => op.concat([a, a], 0), '2x2'],
  ['slice', (a) => op.slice(a, 1, 1, 3), '2x5'],
  ['slice to the end', (a) => op.slice(a, 1, -2), '2x5'],
  ['slice up to the second last', (a) => op.slice(a, 0, 1, -1), '5x2'],
  ['slice by steps', (a) => op.slice(a, 1, 1, 8, 3), '2x9'],
  ['slice backwards', (a) => op.slice(a, 1, -1, -(2 ** 31), -1), '2x5'],
  ['slice backwards by steps', (a) => op.slice(a, 0, 6, 0, -2), '8x2'],
  ['slices side by side', (a) => op.mul(op.slice(a, 1, 0, 2), op.slice(a, 1, 2, 4)), '3x4'],
  ['slices that overlap', (a) => op.mul(op.slice(a, 1, 0, 3), op.slice(a, 1, 1, 4)), '3x4'],
  ['slices with a gap', (a) => op.mul(op.slice(a, 1, 0, 2), op.slice(a, 1, 3, 5)), '3x5'],
  ['slices along two axes', (a) => op.mul(op.slice(a, 0, 0, 1), op.slice(a, 1, 0, 1)), '2x3'],
  ['zero padding', (a) => op.pad(a, [0, 2], [1, 0]), '2x3'],
  ['negative padding', (a) => op.pad(a, [-1, 0], [0, -2]), '3x4'],
  ['reflecting padding', (a) => op.pad(a, [0, 0, 2, 1], [0, 0, 0, 3], 'reflect'), '1x2x3x4'],
  ['edge padding', (a) => op.pad(a, [0, 0, 2, 1], [0, 0, 0, 3], 'edge'), '1x2x3x4'],
  ['gather of rows, some twice', (a) => op.gather(a, indices(a, [2, 0, 2, 3], [2, 2])), '4x3'],
  ['gather along an inner axis', (a) => op.gather(a, indices(a, [1, 1, 0], [3]), 1), '2x3x2'],
  ['space to depth', (a) => op.spaceToDepth(a, 2), '1x2x4x2'],
  ['depth to space', (a) => op.depthToSpace(a, 2), '1x8x1x2'],
  ['depth to space, channels outermost', (a) => op.depthToSpace(a, 2, 'CRD'), '1x8x1x2'],
  ['nearest enlargement', (a) => op.upsampleNearest(a, 3), '1x2x2x3'],
  ['nearest resizing by a fraction', (a) => op.resizeNearest(a, 5, 3), '1x2x3x5'],
  ['linear resizing, half pixels', resize({ mode: 'linear', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'floor' }, [7, 2]), '1x2x3x5'],
  ['linear resizing, corners aligned', resize({ mode: 'linear', coordinate_transformation_mode: 'align_corners', nearest_mode: 'floor' }, [5, 4]), '1x1x3x4'],
  ['linear resizing, asymmetric', resize({ mode: 'linear', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }, [6, 5]), '1x1x3x4'],
  // sums and products
  ['a sum', (a) => op.sum(a, [1]), '2x3x2'],
  ['a sum without its axes', (a) => op.sum(a, [0, 2], false), '2x3x2'],
  ['a mean', (a) => op.mean(a, [-1]), '2x3'],
  ['the mean of everything', (a) => op.meanAll(op.square(a)), '2x3'],
  ['a maximum over axes', (a) => op.max(a, [1, 2], false), '2x3x2'],
  ['a matrix product', (a, b) => op.matMul(a, b), '3x2', '2x4'],
  ['a batch by one matrix', (a, b) => op.matMul(a, b), '2x3x2', '2x4'],
  ['a batch by a batch', (a, b) => op.matMul(a, b), '2x3x2', '2x2x3'],
  ['batches that broadcast', (a, b) => op.matMul(a, b), '2x1x3x2', '3x2x2'],
  ['softmax', (a) => op.softmax(a), '3x4 in -2..2'],
  ['softmax along the middle', (a) => op.softmax(a, 1), '2x4x3 in -2..2'],
  // layers
  ['convolution', conv({ pads: [1, 1, 1, 1] }), '2x3x4x5', '2x3x3x3', '2'],
  ['convolution to fewer channels', conv({ pads: [1, 1, 1, 1] }), '2x4x3x4', '2x4x3x3'],
  ['pointwise convolution', conv(), '2x3x2x3', '4x3x1x1', '4'],
  ['convolution without padding', conv(), '1x2x5x4', '3x2x3x2'],
  ['convolution with uneven padding', conv({ pads: [0, 2, 1, 0] }), '1x2x4x4', '2x2x3x2'],
  ['convolution padded beyond its kernel', conv({ pads: [3, 0, 2, 1] }), '1x1x3x3', '2x1x2x2'],
  ['convolution by strides', conv({ strides: [2, 2], pads: [0, 0, 1, 1] }), '1x2x6x5', '3x2x3x3', '3'],
  ['convolution by uneven strides', conv({ strides: [2, 3], pads: [1, 1, 0, 1] }), '2x3x5x7', '2x3x3x2'],
  ['convolution by strides that leave a rest', conv({ strides: [3, 2] }), '1x1x7x6', '1x1x2x3'],
  ['pointwise convolution by strides', conv({ strides: [2, 2] }), '1x3x5x4', '2x3x1x1'],
  ['dilated convolution', conv({ dilations: [2, 1], pads: [2, 1, 2, 1] }), '1x2x5x4', '2x2x3x3'],
  ['dilated convolution by strides', conv({ dilations: [2, 2], strides: [2, 1], pads: [1, 0, 2, 1] }), '1x3x6x5', '2x3x2x2'],
  ['grouped convolution', conv({ group: 2, pads: [1, 1, 1, 1] }), '2x4x3x3', '6x2x3x3', '6'],
  ['depthwise convolution by strides', conv({ group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }), '1x3x5x4', '3x1x3x3'],
  ['grouped convolution to fewer channels', conv({ group: 2 }), '1x6x3x3', '2x3x2x2'],
  ['convolution with many weights and few pixels', (x, s) => op.conv2d(x, op.mul(s, wave(x.graph, [86, 86, 3, 3])), undefined, { pads: [1, 1, 0, 1] }), '1x86x2x1', 'scalar in 0.5..1.5'],
  ['convolution by strides to many channels', (x, s) => op.conv2d(x, op.mul(s, wave(x.graph, [20, 2, 3, 2])), undefined, { strides: [2, 3], pads: [1, 0, 0, 1] }), '2x2x6x7', 'scalar in 0.5..1.5'],
  ['dilated convolution by strides to many channels', (x, s) => op.conv2d(x, op.mul(s, wave(x.graph, [20, 1, 2, 2])), undefined, { strides: [2, 2], dilations: [2, 1], pads: [0, 1, 2, 0], group: 2 }), '1x2x5x6', 'scalar in 0.5..1.5'],
  ['transposed convolution', (x, w) => op.convTranspose2d(x, w, { strides: [2, 3], pads: [1, 0, 0, 1], outputPadding: [1, 2] }), '1x3x2x3', '3x2x3x3'],
  ['transposed convolution in groups', (x, w) => op.convTranspose2d(x, w, { group: 2, dilations: [1, 2] }), '2x4x2x2', '4x3x2x2'],
  ['convolution with a constant kernel', (x) => op.conv2d(x, x.graph.constant(float32([2, 1, 1, 3], [1, -2, 0.5, 3, 0, 1])), undefined, { group: 2, pads: [0, 1, 0, 1] }), '1x2x2x4'],
  ['max pooling', (a) => op.maxPool(a, { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }), '1x2x5x4'],
  ['max pooling over windows that overlap', (a) => op.maxPool(a, { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] }), '1x2x5x4'],
  ['average pooling', (a) => op.averagePool(a, { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }), '1x2x5x4'],
  ['average pooling over windows that overlap', (a) => op.averagePool(a, { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] }), '1x2x5x4'],
  ['average pooling that leaves padding out', (a) => a.graph.add('AveragePool', [a], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 0 }), '1x2x5x4'],
  ['instance normalisation', (x, w, b) => x.graph.add('InstanceNormalization', [x, w, b], { epsilon: 1e-2 }), '2x3x5', '3', '3'],
  ['instance normalisation of pictures', (x, w, b) => x.graph.add('InstanceNormalization', [x, w, b], { epsilon: 1e-2 }), '2x2x3x2', '2', '2'],
  ['plain instance normalisation', (x) => x.graph.add('InstanceNormalization', [x, ones(x.graph, 2, 1), ones(x.graph, 2, 0)], { epsilon: 1e-2 }), '2x2x5'],
  ['layer normalisation', (x, w, b) => x.graph.add('LayerNormalization', [x, w, b], { axis: -1, epsilon: 1e-2 }), '2x3x4', '4', '4'],
  ['layer normalisation over two axes', (x, w, b) => x.graph.add('LayerNormalization', [x, w, b], { axis: 1, epsilon: 1e-2 }), '2x3x2', '3x2', '3x2'],
  ['attention', (q, k, v) => q.graph.add('MultiHeadAttention', [q, k, v], { num_heads: 2, scale: 0.6 }), '2x3x4', '2x5x4', '2x5x4'],
  ['attention of a value to itself', (x) => x.graph.add('MultiHeadAttention', [x, x, x], { num_heads: 1, scale: 2 }), '1x3x2'],
];

function wave(graph: Graph, shape: readonly number[]): Value {
  const count = shape.reduce((product, n) => product * n, 1);
  return graph.constant(
    float32(
      shape,
      Array.from({ length: count }, (_, i) => Math.sin(i * i) / 30),
    ),
  );
}

function indices(x: Value, values: readonly number[], shape: readonly number[]): Value {
  return x.graph.constant(tensor('int64', shape, BigInt64Array.from(values, BigInt)));
}
