/** @file The trunk of LPIPS on AlexNet (Zhang 2018; Krizhevsky 2014, "One weird trick", as torchvision has it). */
import { conv2d, maxPool, relu } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { type Lpips, lpipsDistance, lpipsInput } from './vgg-lpips.ts';

/** The convolutions by their places in torchvision's `features`; some come after a pooling. */
const layers = [
  { place: 0, out: 64, kernel: 11, stride: 4, padding: 2, pooled: false },
  { place: 3, out: 192, kernel: 5, stride: 1, padding: 2, pooled: true },
  { place: 6, out: 384, kernel: 3, stride: 1, padding: 1, pooled: true },
  { place: 8, out: 256, kernel: 3, stride: 1, padding: 1, pooled: false },
  { place: 10, out: 256, kernel: 3, stride: 1, padding: 1, pooled: false },
] as const;

const pooling = { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] } as const;

/**
 * The distance that the paper's table has; its loss has that of VGG16.
 *
 * @param s scope of `trunk.<place>` and `lin.<stage>`
 * @param a picture `[N, 3, H, W]`, RGB in [-1, 1], at least 31 pixels a side
 * @param b the other
 */
export function alexLpips(s: Scope, a: Value, b: Value): Lpips {
  return lpipsDistance(s, alexFeatures(s, a), alexFeatures(s, b));
}

/** Features after each of the five ReLUs. @param x `[N, 3, H, W]`, RGB in [-1, 1] */
export function alexFeatures(s: Scope, x: Value): readonly Value[] {
  const features: Value[] = [];
  let h = lpipsInput(x);
  for (const { place, out, kernel, stride, padding, pooled } of layers) {
    if (pooled) h = maxPool(h, pooling);
    const at = s.at('trunk', place);
    const w = at.weight('weight', [out, h.shape[1] as number, kernel, kernel]);
    const pads = [padding, padding, padding, padding] as const;
    h = relu(conv2d(h, w, at.weight('bias', [out]), { strides: [stride, stride], pads }));
    features.push(h);
  }
  return features;
}
