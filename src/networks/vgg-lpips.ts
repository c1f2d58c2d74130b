/** @file LPIPS on VGG16 (Zhang 2018; Simonyan 2014): distance of normalised features. */
import { printShape } from '../graph/dims.ts';
import {
  add,
  conv2d,
  div,
  maximum,
  maxPool,
  mean,
  relu,
  sqrt,
  square,
  sub,
  sum,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { WeightError } from '../tensor/errors.ts';
import { float32 } from '../tensor/tensor.ts';

/** Places of the convolutions in torchvision's `features`, by stage; a pooling comes before each but the first. */
const stages = [
  [0, 2],
  [5, 7],
  [10, 12, 14],
  [17, 19, 21],
  [24, 26, 28],
] as const;

/** Channels of each stage: 64, 128, 256, 512, 512 in VGG16. */
export type VggWidths = readonly [number, number, number, number, number];

export const vgg16Widths: VggWidths = [64, 128, 256, 512, 512];

/**
 * Keys as `trunk.<place>.weight`, `trunk.<place>.bias` and `lin.<stage>.weight`, from those of a file.
 *
 * Read are torchvision's VGG16 (`features.<place>.weight`; its classifier is left out), the lpips
 * package's linear layers (`lin<stage>.model.1.weight`), and both in one as that package's `state_dict`
 * spells them (`net.slice<n>.<place>.weight`, where the linear layers come twice), each maybe with
 * `module.` in front.
 *
 * @returns undefined for a key of no use here
 */
export function lpipsKey(key: string): string | undefined {
  const bare = key.replace(/^module\./, '');
  const trunk = /^(?:features|net\.slice[1-5])\.(\d+)\.(weight|bias)$/.exec(bare);
  if (trunk) return `trunk.${trunk[1]}.${trunk[2]}`;
  const lin = /^lin(?:s\.)?([0-4])\.model\.1\.weight$/.exec(bare);
  return lin ? `lin.${lin[1]}.weight` : undefined;
}

/**
 * The channels of the network whose weights these are.
 *
 * @param shapeOf the shape of a weight, by the keys of {@link lpipsKey}
 * @throws WeightError naming a weight that is missing
 */
export function lpipsWidths(shapeOf: (key: string) => readonly number[] | undefined): VggWidths {
  return stages.map(([first]) => {
    const key = `trunk.${first}.bias`;
    const shape = shapeOf(key);
    if (shape?.length === 1) return shape[0]!;
    throw new WeightError(
      `lpips: expected "features.${first}.bias", a vector, got ${shape ? printShape(shape) : 'none'}. Give torchvision's vgg16 and the lpips package's vgg.pth.`,
    );
  }) as unknown as VggWidths;
}

/** The distance, and what each stage adds to it. */
export interface Lpips {
  /** `[N, 1, 1, 1]` */
  readonly distance: Value;
  readonly stages: readonly Value[];
}

/**
 *     d = Σ_stages mean over pixels of Σ_c w_c·(â_c - b̂_c)²,   â = a / |a| over the channels
 *
 * @param s scope whose keys {@link lpipsKey} gives
 * @param a picture `[N, 3, H, W]`, RGB in [-1, 1], at least 16 pixels a side
 * @param b the other
 */
export function lpips(s: Scope, a: Value, b: Value, widths: VggWidths = vgg16Widths): Lpips {
  return lpipsDistance(s, vggFeatures(s, a, widths), vggFeatures(s, b, widths));
}

/** The distance of two pictures' features, stage by stage: that of {@link lpips}, on any trunk. */
export function lpipsDistance(s: Scope, a: readonly Value[], b: readonly Value[]): Lpips {
  const parts = a.map((x, i) => {
    const difference = square(sub(unitLength(x), unitLength(b[i]!)));
    const w = s.at('lin', i).weight('weight', [1, x.shape[1] as number, 1, 1]);
    return mean(conv2d(difference, w), [2, 3]);
  });
  return { distance: parts.reduce((sum, part) => add(sum, part)), stages: parts };
}

/** ImageNet's mean and deviation, for pictures in [-1, 1], as the lpips package rounds them. */
export function lpipsInput(x: Value): Value {
  const constant = (values: readonly number[]): Value =>
    x.graph.constant(float32([1, 3, 1, 1], values));
  return div(sub(x, constant([-0.03, -0.088, -0.188])), constant([0.458, 0.448, 0.45]));
}

/**
 * Features after the last ReLU of each stage.
 *
 * @param x `[N, 3, H, W]`, RGB in [-1, 1]
 */
export function vggFeatures(s: Scope, x: Value, widths: VggWidths): readonly Value[] {
  return vggStages(s, lpipsInput(x), widths, (h) => maxPool(h, halving));
}

const halving = { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const;

/**
 * The convolutions of VGG16, stage by stage.
 *
 * @param x `[N, 3, H, W]`, normalised
 * @param pool halves the size between stages
 */
export function vggStages(
  s: Scope,
  x: Value,
  widths: VggWidths,
  pool: (h: Value) => Value,
): readonly Value[] {
  const features: Value[] = [];
  let h = x;
  stages.forEach((places, stage) => {
    if (stage > 0) h = pool(h);
    for (const place of places) h = relu(convolution(s.at('trunk', place), h, widths[stage]!));
    features.push(h);
  });
  return features;
}

function convolution(s: Scope, x: Value, out: number): Value {
  const w = s.weight('weight', [out, x.shape[1] as number, 3, 3]);
  return conv2d(x, w, s.weight('bias', [out]), { pads: [1, 1, 1, 1] });
}

/** The lpips package divides by `|x| + 1e-10`; the floor keeps the root's gradient finite at 0. */
function unitLength(x: Value): Value {
  const length = sqrt(maximum(sum(square(x), [1]), 1e-30));
  return div(x, add(length, 1e-10));
}
