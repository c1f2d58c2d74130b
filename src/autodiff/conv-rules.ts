/**
 * @file Gradients of convolution and of its transpose, for any stride, dilation, group and padding.
 *
 * Throughout, along one axis and for one group, with stride s, dilation d, padding p before:
 *
 *     y[o] = Σ_k w[k]·x[s·o + d·k - p]
 */
import {
  conv2d,
  type ConvOptions,
  convTranspose2d,
  gather,
  ints,
  matMul,
  reshape,
  sum,
  transpose,
} from '../graph/functions.ts';
import type { Graph, Value } from '../graph/graph.ts';
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
 * With dy spaced out by the stride, that is Σ_k w[k]·dy[i + p - d·k]: a convolution with the weights
 * turned round (k → K-1-k) and their channels exchanged, padded by d·(K-1) - p. That is the quicker
 * form where strides are small and the turned weights are there beforehand, or small beside the
 * features. Otherwise it is ONNX's ConvTranspose, whose output is lengthened by those elements at the
 * end that no window reached.
 */
function inputGradient(dy: Value, x: Value, w: Value, attr: ConvAttributes): Value {
  const { kernel_shape: kernel, strides, pads, dilations, group } = attr;
  const turned = strides[0] * strides[1] <= 4 ? turnedWeights(w, group, dy) : undefined;
  if (turned) {
    const { spaced, around } = spacedOutputs(dy, x, attr);
    return conv2d(spaced, turned, undefined, { pads: around, dilations, group });
  }
  const outputPadding = [0, 1].map((i) => {
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    return ((x.shape[i + 2] as number) + pads[i]! + pads[i + 2]! - extent) % strides[i]!;
  }) as [number, number];
  return convTranspose2d(dy, w, { ...options(attr), outputPadding });
}

/** dy with `stride - 1` zeros between elements, and the padding that makes i + p - d·k its places. */
interface Spaced {
  readonly spaced: Value;
  readonly around: ConvAttributes['pads'];
}

function spacedOutputs(dy: Value, x: Value, attr: ConvAttributes): Spaced {
  const { kernel_shape: kernel, strides, pads, dilations } = attr;
  const around: [number, number, number, number] = [0, 0, 0, 0];
  let spaced = dy;
  for (const i of [0, 1] as const) {
    spaced = spaceOut(spaced, i + 2, strides[i]);
    const before = dilations[i] * (kernel[i] - 1) - pads[i];
    const after = (x.shape[i + 2] as number) + pads[i] - (spaced.shape[i + 2] as number);
    // Padding of x wider than the kernel: elements of y that saw nothing of x are cut off.
    spaced = border(spaced, i + 2, Math.min(before, 0), Math.min(after, 0));
    around[i] = Math.max(before, 0);
    around[i + 2] = Math.max(after, 0);
  }
  return { spaced, around };
}

/** Turning weights at run time pays up to this many of them, or for this many output pixels. */
const smallWeights = 1 << 16;
const manyPixels = 1 << 9;

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
  const area = kh * kw;
  const grouped = transpose(reshape(w, [group, out / group, inputs, area]), [0, 2, 1, 3]);
  if (area === 1) return reshape(grouped, shape);
  const backwards = ints(
    w.graph,
    Array.from({ length: area }, (_, k) => area - 1 - k),
  );
  return reshape(gather(grouped, backwards, 3), shape);
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
  const product = (a: Value, rows: number, b: Value, columns: number): Value => {
    const [left, right] = [reshape(a, [n, group, rows, -1]), reshape(b, [n, group, columns, -1])];
    const all = matMul(left, transpose(right, [0, 1, 3, 2]));
    return n === 1 ? all : sum(all, [0]); // [1, g, rows, columns]
  };
  if (out < inputs) {
    const dw = product(shiftedOutputs(dy, x, attr), out * area, x, inputs);
    return reshape(transpose(reshape(dw, [group * out, area, inputs]), [0, 2, 1]), shape);
  }
  return reshape(product(dy, out, shiftedInputs(x, attr), inputs * area), shape);
}

/** x[s·o + d·k - p] at every o: `[N, C·K², OH, OW]`. */
function shiftedInputs(x: Value, attr: ConvAttributes): Value {
  const { kernel_shape: kernel, strides, pads } = attr;
  if ([...kernel, ...strides].every((v) => v === 1) && pads.every((v) => v === 0)) return x;
  const channels = x.shape[1] as number;
  return conv2d(x, unitKernels(x.graph, channels, kernel), undefined, {
    ...options(attr),
    group: channels,
  });
}

/** dy[(i + p - d·k)/s] at every i, zero where that is no element of dy: `[N, O·K², H, W]`. */
function shiftedOutputs(dy: Value, x: Value, attr: ConvAttributes): Value {
  const { kernel_shape: kernel, dilations } = attr;
  const channels = dy.shape[1] as number;
  const { spaced, around } = spacedOutputs(dy, x, attr);
  if (spaced === dy && kernel[0] * kernel[1] === 1 && around.every((n) => n === 0)) return dy;
  const kernels = unitKernels(dy.graph, channels, kernel, true);
  return conv2d(spaced, kernels, undefined, { pads: around, dilations, group: channels });
}

const kernelsOf = new WeakMap<Graph, Map<string, Value>>();

/**
 * Kernels that are 1 in one place and 0 elsewhere, for every place and channel: a convolution with them
 * makes all shifted copies of its input at once. Made once for a graph.
 *
 * @param backwards the last place first
 * @returns `[C·K², 1, kh, kw]`, for `group` C
 */
function unitKernels(
  graph: Graph,
  channels: number,
  [kh, kw]: readonly [number, number],
  backwards = false,
): Value {
  const known = kernelsOf.get(graph) ?? new Map<string, Value>();
  kernelsOf.set(graph, known);
  const key = [channels, kh, kw, backwards].join();
  const area = kh * kw;
  let kernels = known.get(key);
  if (!kernels) {
    const units = zeros('float32', [channels * area, 1, kh, kw]);
    for (let i = 0; i < channels * area; i++) {
      units.data[i * area + (backwards ? area - 1 - (i % area) : i % area)] = 1;
    }
    kernels = graph.constant(units);
    known.set(key, kernels);
  }
  return kernels;
}
