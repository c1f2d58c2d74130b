/** @file Two-dimensional convolution, with the LoRA adapters that lie on it. */
import { add, cast, conv2d, type ConvOptions, mul } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { channelsFirst, channelsLast } from '../graph/layout.ts';
import type { Scope } from '../graph/scope.ts';
import { kernelsLast } from './recipes.ts';

type ConvGeometry = Required<Pick<ConvOptions, 'strides' | 'pads'>>;

export interface ConvLayerOptions {
  kernel: number;
  stride?: number;
  /** On every side, or top, left, bottom, right; half the kernel by default. */
  padding?: number | readonly [number, number, number, number];
  /** Takes the place of the checkpoint's bias, where something known is folded into it. */
  bias?: Value;
}

/**
 *     y = W * x + b  (+ scale·B(A * x) for each adapter: k×k to `rank` channels, then 1×1)
 *
 * @param x `[N, in, H, W]`
 * @returns `[N, out, H', W']`
 * @see torch.nn.Conv2d; peft's Conv2d LoRA.
 */
export function conv(s: Scope, x: Value, out: number, options: ConvLayerOptions): Value {
  const { kernel } = options;
  const inputs = x.shape[1] as number;
  const geometry = convGeometry(options);
  const b = cast(options.bias ?? s.weight('bias', [out]), x.dtype);
  let y: Value;
  if (isChannelsLast(s)) y = nhwcConv(s, x, b, out, options);
  else {
    const w = s.weight('weight', [out, inputs, kernel, kernel]);
    y = conv2d(x, cast(w, x.dtype), b, geometry);
  }
  for (const { name, rank, scale } of s.adapters.on(s.path)) {
    const down = s.weight(`lora_A.${name}.weight`, [rank, inputs, kernel, kernel]);
    const up = s.weight(`lora_B.${name}.weight`, [out, rank, 1, 1]);
    // Scaled where it is small.
    y = add(y, conv2d(mul(conv2d(x, down, undefined, geometry), scale), up));
  }
  return s.out(y);
}

/** CUDA convolves channels-last, where weights may be turned beforehand. */
function isChannelsLast(s: Scope): boolean {
  const { device, training } = s.graph.target;
  return device === 'cuda' && !training && !s.graph.trainable(s.key('weight'));
}

function nhwcConv(s: Scope, x: Value, b: Value, out: number, options: ConvLayerOptions): Value {
  const { kernel } = options;
  const inputs = x.shape[1] as number;
  const { strides, pads } = convGeometry(options);
  const w = s.derived('weight.nhwc', {
    shape: [out, kernel, kernel, inputs],
    sources: [{ key: s.key('weight'), shape: [out, inputs, kernel, kernel] }],
    make: ([weight]) => kernelsLast(weight!),
  });
  const y = s.graph.add(
    'NhwcConv',
    [channelsLast(x), cast(w, x.dtype), b],
    { kernel_shape: [kernel, kernel], strides, pads, dilations: [1, 1], group: 1 },
    s.path,
  );
  return channelsFirst(y);
}

/** Strides and pads as ONNX wants them. */
export function convGeometry(options: ConvLayerOptions): ConvGeometry {
  const { kernel, stride = 1, padding = kernel >> 1 } = options;
  const pads =
    typeof padding === 'number' ? ([padding, padding, padding, padding] as const) : padding;
  return { strides: [stride, stride], pads };
}
