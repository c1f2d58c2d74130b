/** @file Nearest enlargement by 2 followed by a 3×3 convolution, in 4/9 of the multiplications. */
import { cast, concat, conv2d, depthToSpace, slice, upsampleNearest } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';
import { conv } from './conv.ts';

/**
 *     y = W * up(x) + b
 *
 * Each pixel of `up(x)` stands four times, so an output pixel sees only 2×2 different ones: there is a
 * 2×2 kernel for each of the four places in a block, whose weights are sums of W's. They are applied
 * at `x`'s own size and interleaved. Exact but for rounding, borders included.
 *
 * @param x `[N, C, H, W]`
 * @returns `[N, out, 2H, 2W]`
 */
export function upsampleConv(s: Scope, x: Value, out: number): Value {
  const { graph } = s;
  // CUDA's own convolution of the enlarged features needs no cutting and interleaving afterwards.
  const inputs = x.shape[1] as number;
  const isTrained = s.weight('weight', [out, inputs, 3, 3]).weight === undefined;
  const plain = graph.target.device === 'cuda' || isTrained || s.adapters.on(s.path).length > 0;
  if (plain) return conv(s, upsampleNearest(x, 2), out, { kernel: 3 });
  const w = s.derived('weight.blocks', {
    shape: [4 * out, inputs, 2, 2],
    sources: [{ key: s.key('weight'), shape: [out, inputs, 3, 3] }],
    make: ([weight]) => blockKernels(weight!),
  });
  const b = s.derived('bias.blocks', {
    shape: [4 * out],
    sources: [{ key: s.key('bias'), shape: [out] }],
    make: ([bias]) => fourTimes(bias!),
  });
  const all = conv2d(x, cast(w, x.dtype), cast(b, x.dtype), { pads: [1, 1, 1, 1] }); // [N, 4·out, H + 1, W + 1]
  const places = [0, 1, 2, 3].map((place) => {
    const channels = slice(all, 1, place * out, (place + 1) * out);
    return shifted(shifted(channels, 2, place >> 1), 3, place & 1);
  });
  return s.out(depthToSpace(concat(places, 1), 2, 'DCR'));
}

/** All but the last element of an axis, or all but the first. */
function shifted(x: Value, axis: number, by: number): Value {
  return by === 0 ? slice(x, axis, 0, -1) : slice(x, axis, 1);
}

/** Which of the two taps at `x`'s size each of the three taps at twice the size falls on. */
const taps = [
  [0, 1, 1],
  [0, 0, 1],
] as const;

/** `[out, in, 3, 3] -> [4·out, in, 2, 2]`: place (0,0), (0,1), (1,0), (1,1) of the block in turn. */
function blockKernels({ shape, data }: Tensor<'float32'>): Tensor<'float32'> {
  const [out, inputs] = shape as [number, number];
  const result = zeros('float32', [4 * out, inputs, 2, 2]);
  for (let place = 0; place < 4; place++) {
    const [rows, columns] = [taps[(place >> 1) as 0 | 1], taps[(place & 1) as 0 | 1]];
    for (let i = 0; i < out * inputs; i++) {
      const to = (place * out * inputs + i) * 4;
      for (let tap = 0; tap < 9; tap++) {
        const at = to + rows[Math.floor(tap / 3)]! * 2 + columns[tap % 3]!;
        result.data[at]! += data[i * 9 + tap]!;
      }
    }
  }
  return result;
}

function fourTimes({ data }: Tensor<'float32'>): Tensor<'float32'> {
  const result = zeros('float32', [4 * data.length]);
  for (let place = 0; place < 4; place++) result.data.set(data, place * data.length);
  return result;
}
