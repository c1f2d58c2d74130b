/**
 * @file Gradients of convolution and of its transpose, for any stride, dilation, group and padding.
 *
 * Throughout, along one axis and for one group, with stride s, dilation d, padding p before:
 *
 *     y[o] = Σ_k w[k]·x[s·o + d·k - p]
 */
import {
  concat,
  conv2d,
  type ConvOptions,
  convTranspose2d,
  matMul,
  reshape,
  slice,
  sum,
  transpose,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { ConvAttributes, ConvTransposeAttributes } from '../graph/ops.ts';
import { elementCount, type Tensor, zeros } from '../tensor/tensor.ts';
import { beforehand } from './fixed.ts';
import type { Applied, Gradient } from './rule.ts';
import { border, spaceOut } from './shape-rules.ts';

/** y = w * x + b. */
export function conv(dy: Value, [x, w]: Applied['x'], attr: ConvAttributes): readonly Gradient[] {
  return [
    () => inputGradient(dy, x, w, attr),
    () => weightGradient(dy, x, w.shape as readonly number[], attr),
    () => biasGradient(dy),
  ];
}

/**
 * The transpose of a convolution with the same attributes, y = Wᵀ·x: its gradient in x is that
 * convolution, and its gradient in w the convolution's with x and dy in each other's place.
 */
export function convTranspose(
  dy: Value,
  [x, w]: Applied['x'],
  attr: ConvTransposeAttributes,
): readonly Gradient[] {
  return [
    () => conv2d(dy, w, undefined, options(attr)),
    () => weightGradient(x, dy, w.shape as readonly number[], attr),
    () => biasGradient(dy),
  ];
}

function options({ strides, pads, dilations, group }: ConvAttributes): ConvOptions {
  return { strides, pads, dilations, group };
}

function biasGradient(dy: Value): Value {
  return sum(dy, [0, 2, 3], false);
}

/**
 * dx[i] = Σ_k w[k]·dy[o] over all o with s·o + d·k - p = i.
 *
 * For stride 1, o = i + p - d·k: a convolution of dy with the weights turned round (k → K-1-k), their
 * channels exchanged, padded by d·(K-1) - p. That is the quicker form where the turned weights are
 * there beforehand, or small beside the features. Otherwise it is ONNX's ConvTranspose, whose output
 * is lengthened by those elements at the end that no window reached.
 */
function inputGradient(dy: Value, x: Value, w: Value, attr: ConvAttributes): Value {
  const { kernel_shape: kernel, strides, pads, dilations, group } = attr;
  const sizes = [0, 1].map((i) => x.shape[i + 2] as number);
  const extents = [0, 1].map((i) => (kernel[i]! - 1) * dilations[i]! + 1);
  if (strides[0] === 1 && strides[1] === 1) {
    const turned = turnedWeights(w, group, dy);
    if (turned) {
      const around = pads.map((n, i) => extents[i % 2]! - 1 - n);
      const outer = around.map((n) => Math.max(n, 0)) as unknown as ConvAttributes['pads'];
      // Padding wider than the kernel holds elements of y that saw nothing of x.
      const [top, left, bottom, right] = around.map((n) => Math.min(n, 0)) as [
        number,
        number,
        number,
        number,
      ];
      const seen = border(border(dy, 2, top, bottom), 3, left, right);
      return conv2d(seen, turned, undefined, { pads: outer, dilations, group });
    }
  }
  const outputPadding = [0, 1].map(
    (i) => (sizes[i]! + pads[i]! + pads[i + 2]! - extents[i]!) % strides[i]!,
  ) as [number, number];
  return convTranspose2d(dy, w, { ...options(attr), outputPadding });
}

/** Turning weights at run time pays up to this many of them, or for this many output pixels. */
const smallWeights = 1 << 16;
const manyPixels = 1 << 11;

/** `[O, C/g, kh, kw] -> [C, O/g, kh, kw]`, turned by half a turn. Undefined where that would be slow. */
function turnedWeights(w: Value, group: number, dy: Value): Value | undefined {
  const [out, inputs, kh, kw] = w.shape as [number, number, number, number];
  const shape = [group * inputs, out / group, kh, kw];
  const fixed = beforehand(w, 'turned', shape, ({ data }) =>
    turn(data, w.shape as number[], group),
  );
  if (fixed) return fixed;
  const [n, , height, width] = dy.shape as [number, number, number, number];
  if (elementCount(shape) > smallWeights && n * height * width < manyPixels) return undefined;
  const grouped = reshape(w, [group, out / group, inputs, kh, kw]);
  let turned = reshape(transpose(grouped, [0, 2, 1, 3, 4]), shape);
  if (kh > 1) turned = slice(turned, 2, -1, -(2 ** 31), -1);
  if (kw > 1) turned = slice(turned, 3, -1, -(2 ** 31), -1);
  return turned;
}

function turn(data: Float32Array, shape: readonly number[], group: number): Tensor<'float32'> {
  const [out, inputs, kh, kw] = shape as [number, number, number, number];
  const [share, area] = [out / group, kh * kw];
  const result = zeros('float32', [group * inputs, share, kh, kw]);
  for (let o = 0; o < out; o++) {
    const g = Math.floor(o / share);
    for (let c = 0; c < inputs; c++) {
      const from = (o * inputs + c) * area;
      const to = ((g * inputs + c) * share + (o % share)) * area;
      for (let k = 0; k < area; k++) result.data[to + area - 1 - k] = data[from + k]!;
    }
  }
  return result;
}

/**
 * dw[k] = Σ_o dy[o]·x[s·o + d·k - p], as one matrix product over all pixels.
 *
 * Either x is shifted for each k, or, with i = s·o + d·k - p, dy is: dw[k] = Σ_i dy[(i + p - d·k)/s]·x[i].
 * What is shifted is copied K² times, so it is whichever has fewer channels: for the first half of a
 * LoRA, whose dy has a handful of them, the gradient is nearly free.
 *
 * @param shape of w: `[O, C/g, kh, kw]`
 */
function weightGradient(
  dy: Value,
  x: Value,
  shape: readonly number[],
  attr: ConvAttributes,
): Value {
  const { group, kernel_shape: kernel } = attr;
  const [out, inputs] = [shape[0]! / group, shape[1]!];
  const n = x.shape[0] as number;
  const area = kernel[0] * kernel[1];
  // [N, g, channels, pixels]
  const flat = (v: Value, channels: number): Value => reshape(v, [n, group, channels, -1]);
  const stack = (parts: readonly Value[], channels: number): Value => {
    const [, , height, width] = parts[0]!.shape as [number, number, number, number];
    const apart = parts.map((v) => reshape(v, [n, group, 1, channels, height * width]));
    return reshape(concat(apart, 2), [n, group, area * channels, height * width]);
  };
  const total = (products: Value): Value => (n === 1 ? products : sum(products, [0]));
  if (out < inputs) {
    const shifted = stack(shiftedOutputs(dy, x, attr), out);
    const dw = total(matMul(shifted, transpose(flat(x, inputs), [0, 1, 3, 2])));
    const apart = reshape(dw, [group, area, out, inputs]);
    return reshape(transpose(apart, [0, 2, 3, 1]), shape);
  }
  const shifted = stack(shiftedInputs(dy, x, attr), inputs);
  const dw = total(matMul(flat(dy, out), transpose(shifted, [0, 1, 3, 2])));
  const apart = reshape(dw, [group, out, area, inputs]);
  return reshape(transpose(apart, [0, 1, 3, 2]), shape);
}

function offsets([kh, kw]: readonly [number, number]): readonly [number, number][] {
  return Array.from({ length: kh * kw }, (_, k) => [Math.floor(k / kw), k % kw]);
}

/** x[s·o + d·k - p] at every o, for each k. */
function shiftedInputs(
  dy: Value,
  x: Value,
  { kernel_shape: kernel, strides, pads, dilations }: ConvAttributes,
): Value[] {
  const [top, left, bottom, right] = pads;
  const padded = border(border(x, 2, top, bottom), 3, left, right);
  const along = (v: Value, i: 0 | 1, k: number): Value => {
    const start = k * dilations[i];
    const end = start + ((dy.shape[i + 2] as number) - 1) * strides[i] + 1;
    return part(v, i + 2, start, end, strides[i]);
  };
  return offsets(kernel).map(([i, j]) => along(along(padded, 0, i), 1, j));
}

/** dy[(i + p - d·k)/s] at every i, zero where that is no element of dy, for each k. */
function shiftedOutputs(
  dy: Value,
  x: Value,
  { kernel_shape: kernel, strides, pads, dilations }: ConvAttributes,
): Value[] {
  const sizes = [0, 1].map((i) => x.shape[i + 2] as number);
  let spaced = dy;
  for (const i of [0, 1] as const) {
    spaced = spaceOut(spaced, i + 2, strides[i]);
    const before = dilations[i] * (kernel[i] - 1) - pads[i];
    const after = sizes[i]! + pads[i] - (spaced.shape[i + 2] as number);
    spaced = border(spaced, i + 2, before, after);
  }
  const along = (v: Value, i: 0 | 1, k: number): Value => {
    const start = dilations[i] * (kernel[i] - 1 - k);
    return part(v, i + 2, start, start + sizes[i]!, 1);
  };
  return offsets(kernel).map(([i, j]) => along(along(spaced, 0, i), 1, j));
}

function part(x: Value, axis: number, start: number, end: number, step: number): Value {
  return start === 0 && end === x.shape[axis] && step === 1 ? x : slice(x, axis, start, end, step);
}
