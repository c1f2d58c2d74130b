/** @file Carries a drawn degradation out (OSEDiff, `RealESRGAN_degradation.degrade_process`). */
import { ShapeError } from '../tensor/errors.ts';
import { filter2d } from './filter.ts';
import { diffJpeg } from './jpeg.ts';
import { kernelWeights } from './kernels.ts';
import { gaussianNoise, noiseCount, poissonBase, poissonNoise, type PoissonBase } from './noise.ts';
import { fillNormal } from '../tensor/normal.ts';
import type { NoisePlan, Plan } from './plan.ts';
import { clamp, roundToBytes, sizeOf, type Planes } from './planes.ts';
import { drawCounts } from './poisson.ts';
import { Random, type StreamName } from '../tensor/random.ts';
import { resizeBy, resizeTo } from './resize.ts';

/** Where the random numbers of the noise come from. */
export interface NoiseSource {
  /** Draws from N(0, 1). */
  normal(stage: 1 | 2, count: number): Float32Array;
  /** A Poisson count for each sample. */
  counts(stage: 1 | 2, base: PoissonBase): Float32Array;
}

/** What a JPEG of a real-valued quality leaves of planes `[3, H, W]` in [0, 1]. */
export type Jpeg = (x: Planes, quality: number) => Planes | Promise<Planes>;

/** How a plan is carried out. */
export interface RunOptions {
  /** @default the streams that the plan names */
  readonly noise?: NoiseSource;
  /** @default diffJpeg */
  readonly jpeg?: Jpeg;
  readonly onStep?: StepHook;
}

/**
 * Told the result of every step: `1.blur`, `1.resize`, ..., `final.filter`, `2.jpeg`, then `back` and
 * `x_l`. What it returns, if anything, takes the result's place: so a recorded run is compared step by
 * step, without one rounding to a byte there and here deciding all that follows.
 */
export type StepHook = (step: string, x: Planes) => Planes | undefined;

/** The noise of streams named `stream`, 1 and `stream`, 2. */
export function seededNoise(stream: StreamName): NoiseSource {
  return {
    normal(stage, count) {
      const out = new Float32Array(count);
      fillNormal(new Random([...stream, stage]), out);
      return out;
    },
    counts: (stage, { bytes, levels }) => drawCounts(new Random([...stream, stage]), bytes, levels),
  };
}

/**
 * The degraded picture, small: blur, resize, noise and JPEG twice over, at the end down to the size and
 * perhaps through a sinc filter.
 *
 * @param truth RGB `[3, H, W]` in [0, 1]
 * @returns `[3, floor(H / scale), floor(W / scale)]`, neither clamped nor rounded: `roundToBytes` makes
 *   the picture of it, `enlargeInput` the network's input
 * @throws UsageError when the picture is so small that a resize leaves nothing; ShapeError when it has
 *   not three planes
 */
export async function degrade(
  truth: Planes,
  plan: Plan,
  options: RunOptions = {},
): Promise<Planes> {
  const [channels, height, width] = sizeOf(truth);
  if (channels !== 3) throw new ShapeError(`degrade: expected 3 planes, got ${channels}.`);
  const { noise = seededNoise(plan.noiseStream), jpeg = diffJpeg, onStep } = options;
  const { scale, first, second, final } = plan;
  let x = truth;
  const step = (name: string, result: Planes): void => {
    x = onStep?.(name, result) ?? result;
  };
  const compress = async (name: string, quality: number | null): Promise<void> => {
    if (quality !== null) step(name, await jpeg(clamp(x), quality));
  };
  const reduce = (): void => {
    const size = [Math.floor(height / scale), Math.floor(width / scale)] as const;
    step('final.resize', resizeTo(x, final.mode, ...size));
    if (final.sinc) step('final.filter', filter2d(x, kernelWeights(final.sinc)));
  };

  if (first.blur) step('1.blur', filter2d(x, kernelWeights(first.blur)));
  step('1.resize', resizeBy(x, first.resize.mode, first.resize.scale));
  if (first.noise) step('1.noise', addNoise(x, first.noise, noise, 1));
  await compress('1.jpeg', first.quality);

  if (second.blur) step('2.blur', filter2d(x, kernelWeights(second.blur)));
  const rows = Math.floor((height / scale) * second.resize.scale);
  const columns = Math.floor((width / scale) * second.resize.scale);
  step('2.resize', resizeTo(x, second.resize.mode, rows, columns));
  if (second.noise) step('2.noise', addNoise(x, second.noise, noise, 2));

  if (final.order === 'sinc_first') reduce();
  await compress('2.jpeg', second.quality);
  if (final.order === 'jpeg_first') reduce();
  return x;
}

/**
 * The network's input `x_L`: the degraded picture back at the size of the ground truth, in the steps
 * of 8-bit samples.
 *
 * @param low what `degrade` returned
 * @returns `[3, height, width]` in [0, 1]
 */
export function enlargeInput(
  low: Planes,
  plan: Plan,
  height: number,
  width: number,
  onStep?: StepHook,
): Planes {
  const back = resizeTo(low, plan.back.mode, height, width);
  const input = roundToBytes(onStep?.('back', back) ?? back);
  return onStep?.('x_l', input) ?? input;
}

function addNoise(x: Planes, plan: NoisePlan, source: NoiseSource, stage: 1 | 2): Planes {
  if (plan.kind === 'gaussian') {
    return gaussianNoise(x, plan.sigma, source.normal(stage, noiseCount(x, plan.grey)));
  }
  const base = poissonBase(x, plan.grey);
  return poissonNoise(x, plan.scale, base, source.counts(stage, base));
}
