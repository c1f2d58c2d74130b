/** @file The ResNet of CLIP, which looks at pictures of any size (Radford 2021; OpenAI's `ModifiedResNet`). */
import { add, averagePool, concat, mean, relu, reshape, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { convBatchNorm } from '../nn/batch-norm.ts';
import { linear } from '../nn/linear.ts';
import { clipHead, type ClipConfig } from './clip-config.ts';

const epsilon = 1e-5;

/**
 * The embedding of pictures, without positions: CLIP-IQA (Wang 2022) leaves them out, so that any size
 * will do.
 *
 * @param s scope `visual`
 * @param x `[N, 3, H, W]`, by CLIP's mean and deviation, at least 32 pixels a side
 * @returns `[N, embed]`
 */
export function clipResnet(s: Scope, x: Value, { visual, embed }: ClipConfig): Value {
  const { width, blocks } = visual;
  const half = width / 2;
  let h = relu(unit(s, ['conv1', 'bn1'], x, half, 3, 2));
  h = relu(unit(s, ['conv2', 'bn2'], h, half, 3));
  h = relu(unit(s, ['conv3', 'bn3'], h, width, 3));
  h = s.at('avgpool').out(shrink(h, 2));
  blocks.forEach((count, i) => {
    const stage = s.at(`layer${i + 1}`);
    for (let j = 0; j < count; j++) {
      h = bottleneck(stage.at(j), h, width * 2 ** i, i > 0 && j === 0 ? 2 : 1);
    }
    stage.out(h);
  });
  return s.out(attentionPool(s.at('attnpool'), h, embed));
}

/** A convolution and its normalisation. */
function unit(
  s: Scope,
  [conv, norm]: readonly [string, string],
  x: Value,
  out: number,
  kernel: 1 | 3,
  stride = 1,
): Value {
  const pads = kernel === 3 ? ([1, 1, 1, 1] as const) : ([0, 0, 0, 0] as const);
  const options = { strides: [stride, stride], pads, epsilon } as const;
  return convBatchNorm({ conv: s.at(conv), norm: s.at(norm) }, x, out, [kernel, kernel], options);
}

function shrink(x: Value, factor: number): Value {
  const size = [factor, factor] as const;
  return averagePool(x, { kernel_shape: size, strides: size, pads: [0, 0, 0, 0] });
}

/**
 *     y = relu(shortcut(x) + W3 * shrink(relu(W2 * relu(W1 * x))))
 *
 * Sizes halve by averages, not by strides.
 */
function bottleneck(s: Scope, x: Value, width: number, factor: number): Value {
  const out = 4 * width;
  let h = relu(unit(s, ['conv1', 'bn1'], x, width, 1));
  h = relu(unit(s, ['conv2', 'bn2'], h, width, 3));
  if (factor > 1) h = shrink(h, factor);
  h = unit(s, ['conv3', 'bn3'], h, out, 1);
  if (factor === 1 && x.shape[1] === out) return s.out(relu(add(x, h)));
  const small = factor > 1 ? shrink(x, factor) : x;
  return s.out(relu(add(unit(s.at('downsample'), ['0', '1'], small, out, 1), h)));
}

/** The mean of all pixels looks at each of them and at itself. @returns `[N, embed]` */
function attentionPool(s: Scope, x: Value, embed: number): Value {
  const [n, width] = x.shape as [number, number];
  const pixels = transpose(reshape(x, [n, width, -1]), [0, 2, 1]); // [N, H·W, C]
  const middle = mean(pixels, [1]);
  const tokens = concat([middle, pixels], 1);
  const q = linear(s.at('q_proj'), middle, width);
  const [k, v] = ['k_proj', 'v_proj'].map((name) => linear(s.at(name), tokens, width));
  const seen = attention(q, k!, v!, width / clipHead);
  return reshape(linear(s.at('c_proj'), seen, embed), [n, embed]);
}
