/** @file DISTS (Ding 2020, "Image Quality Assessment: Unifying Structure and Texture Similarity"). */
import { add, concat, conv2d, div, mean, mul, sqrt, square, sub, sum } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { float32, type Tensor } from '../tensor/tensor.ts';
import { vgg16Widths, vggStages, type VggWidths } from './vgg-lpips.ts';

/** Keeps the quotients of flat features at 1. */
const steady = 1e-6;

/** The distance, and the features it is taken on. */
export interface Dists {
  /** `[N, 1, 1, 1]`: 0 for equal pictures. */
  readonly distance: Value;
  /** Of `a`: the picture itself, then the five stages. */
  readonly stages: readonly Value[];
}

/**
 *     d = 1 - Σ_c α_c·(2·μ_a·μ_b + c) / (μ_a² + μ_b² + c) + β_c·(2·σ_ab + c) / (σ_a² + σ_b² + c)
 *
 * over the channels of the picture itself and of five stages; α and β are divided by their joint sum,
 * so that d is a sum of what each quotient lacks to 1:
 *
 *     α_c·(μ_a - μ_b)² / (μ_a² + μ_b² + c) + β_c·σ²_(a - b) / (σ_a² + σ_b² + c)
 *
 * @param s scope of `trunk.<place>` of VGG16, `alpha` and `beta`
 * @param a picture `[N, 3, H, W]`, RGB in [0, 1] @param b the other
 */
export function dists(s: Scope, a: Value, b: Value, widths: VggWidths = vgg16Widths): Dists {
  const [fa, fb] = [distsFeatures(s, a, widths), distsFeatures(s, b, widths)];
  const lacking = fa.map((x, i) => differences(x, fb[i]!));
  const channels = [3, ...widths].reduce((total, width) => total + width);
  const texture = mul(joined(lacking, 0), share(s, 'alpha', channels));
  const structure = mul(joined(lacking, 1), share(s, 'beta', channels));
  return { distance: sum(add(texture, structure), [1]), stages: fa };
}

/** The picture itself, then the stages of VGG16 with pooling by L2. @param x RGB in [0, 1] */
function distsFeatures(s: Scope, x: Value, widths: VggWidths): readonly Value[] {
  const constant = (values: readonly number[]): Value =>
    x.graph.constant(float32([1, 3, 1, 1], values));
  const normal = div(sub(x, constant([0.485, 0.456, 0.406])), constant([0.229, 0.224, 0.225]));
  return [x, ...vggStages(s, normal, widths, l2Pool)];
}

/** The root of squares blurred by a Hann window and taken at every other pixel: no aliasing. */
function l2Pool(x: Value): Value {
  const channels = x.shape[1] as number;
  const window = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((v) => v / 16);
  const every = Array.from({ length: channels }, () => window).flat();
  const w = x.graph.constant(float32([channels, 1, 3, 3], every));
  const options = { strides: [2, 2], pads: [1, 1, 1, 1], group: channels } as const;
  return sqrt(add(conv2d(square(x), w, undefined, options), 1e-12));
}

/** What the quotients of means and of structure lack to 1: `[N, C, 1, 1]` each. */
function differences(a: Value, b: Value): readonly [Value, Value] {
  const [ma, mb] = [mean(a, [2, 3]), mean(b, [2, 3])];
  const [da, db] = [sub(a, ma), sub(b, mb)];
  const over = (x: Value, first: Value, second: Value): Value =>
    div(x, add(add(first, second), steady));
  return [
    over(square(sub(ma, mb)), square(ma), square(mb)),
    over(mean(square(sub(da, db)), [2, 3]), mean(square(da), [2, 3]), mean(square(db), [2, 3])),
  ];
}

function joined(pairs: readonly (readonly [Value, Value])[], which: 0 | 1): Value {
  return concat(
    pairs.map((pair) => pair[which]),
    1,
  );
}

/** `alpha` or `beta` over the sum of both. */
function share(s: Scope, name: 'alpha' | 'beta', channels: number): Value {
  const shape = [1, channels, 1, 1];
  return s.derived(`${name}.share`, {
    shape,
    sources: [name, 'alpha', 'beta'].map((one) => ({ key: s.key(one), shape })),
    make: ([own, alpha, beta]) => {
      const total = totalOf(alpha!) + totalOf(beta!);
      return { ...own!, data: own!.data.map((v) => v / total) };
    },
  });
}

function totalOf({ data }: Tensor<'float32'>): number {
  return data.reduce((total, v) => total + v, 0);
}
