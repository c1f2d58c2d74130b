/** @file A convolution with the batch normalisation after it (Ioffe 2015), as one convolution. */
import { conv2d, type ConvOptions } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { zeros } from '../tensor/tensor.ts';

/**
 *     y = γ·(W * x - μ) / sqrt(σ² + ε) + β
 *
 * with the statistics of the training set, which are weights here.
 *
 * @param conv scope of the convolution, without bias @param norm scope of the normalisation
 * @param x `[N, in, H, W]`
 * @param kernel height and width of the convolution
 * @returns `[N, out, H', W']`
 */
export function convBatchNorm(
  { conv, norm }: { readonly conv: Scope; readonly norm: Scope },
  x: Value,
  out: number,
  kernel: readonly [number, number],
  options: ConvOptions & { readonly epsilon: number },
): Value {
  const { epsilon, ...geometry } = options;
  const shape = [out, x.shape[1] as number, ...kernel];
  const statistic = (name: string): { key: string; shape: number[] } => ({
    key: norm.key(name),
    shape: [out],
  });
  const [gain, variance] = [statistic('weight'), statistic('running_var')];
  const w = conv.derived('weight.normalized', {
    shape,
    sources: [{ key: conv.key('weight'), shape }, gain, variance],
    make: ([weight, g, v]) => {
      const length = weight!.data.length / out;
      const data = weight!.data.map((value, i) => {
        const c = Math.floor(i / length);
        return (value * g!.data[c]!) / Math.sqrt(v!.data[c]! + epsilon);
      });
      return { ...weight!, data };
    },
  });
  const b = norm.derived('bias.normalized', {
    shape: [out],
    sources: [statistic('bias'), statistic('running_mean'), gain, variance],
    make: ([bias, m, g, v]) => {
      const folded = zeros('float32', [out]);
      for (let c = 0; c < out; c++) {
        const scale = g!.data[c]! / Math.sqrt(v!.data[c]! + epsilon);
        folded.data[c] = bias!.data[c]! - m!.data[c]! * scale;
      }
      return folded;
    },
  });
  return norm.out(conv2d(x, w, b, geometry));
}
