/** @file Two-dimensional convolution, with the LoRA adapters that lie on it. */
import { add, conv2d, type ConvOptions, mul } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';

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
  const w = s.weight('weight', [out, inputs, kernel, kernel]);
  let y = conv2d(x, w, options.bias ?? s.weight('bias', [out]), geometry);
  for (const { name, rank, scale } of s.adapters.on(s.path)) {
    const down = s.weight(`lora_A.${name}.weight`, [rank, inputs, kernel, kernel]);
    const up = s.weight(`lora_B.${name}.weight`, [out, rank, 1, 1]);
    // Scaled where it is small.
    y = add(y, conv2d(mul(conv2d(x, down, undefined, geometry), scale), up));
  }
  return s.out(y);
}

/** Strides and pads as ONNX wants them. */
export function convGeometry(options: ConvLayerOptions): ConvOptions {
  const { kernel, stride = 1, padding = kernel >> 1 } = options;
  const pads =
    typeof padding === 'number' ? ([padding, padding, padding, padding] as const) : padding;
  return { strides: [stride, stride], pads };
}
