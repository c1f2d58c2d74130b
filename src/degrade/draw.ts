/** @file Draws a degradation as OSEDiff does (`RealESRGAN_degradation`), from one stream of its own. */
import type { BlurKind, Kernel, SincKernel } from './kernels.ts';
import type { DegradeParams, Range, StageParams } from './params.ts';
import type { NoisePlan, Plan, StagePlan } from './plan.ts';
import { Random, type StreamName } from '../tensor/random.ts';
import { resizeModes } from './resize.ts';

/** Below this side a sinc filter's cutoff is at least pi / 3, from it on pi / 5. */
const wideSinc = 13;

/**
 * Every choice for one picture. The same stream gives the same plan, everywhere.
 *
 * @param stream a seed and the picture's number, say
 */
export function drawPlan(params: DegradeParams, stream: StreamName): Plan {
  const random = new Random(stream);
  const { scale, kernelSizes, final } = params;
  return {
    scale,
    first: drawStage(random, params.first, kernelSizes),
    second: drawStage(random, params.second, kernelSizes),
    final: {
      order: random.chance(final.sincFirstProb) ? 'sinc_first' : 'jpeg_first',
      mode: random.pick(resizeModes),
      sinc: random.chance(final.sincProb)
        ? drawSinc(random, random.pick(kernelSizes), Math.PI / 3)
        : null,
    },
    back: { mode: random.pick(resizeModes) },
    noiseStream: stream,
  };
}

function drawStage(random: Random, params: StageParams, sizes: readonly number[]): StagePlan {
  return {
    blur: random.chance(params.blurProb) ? drawBlur(random, params, sizes) : null,
    resize: { scale: drawScale(random, params), mode: random.pick(resizeModes) },
    noise: random.chance(params.noiseProb) ? drawNoise(random, params) : null,
    quality: random.chance(params.jpegProb) ? random.between(...params.jpegQuality) : null,
  };
}

function drawBlur(random: Random, params: StageParams, sizes: readonly number[]): Kernel {
  const size = random.pick(sizes);
  if (random.chance(params.sincProb)) {
    return drawSinc(random, size, size < wideSinc ? Math.PI / 3 : Math.PI / 5);
  }
  const kind = random.weighted(params.kinds);
  const sigmaX = random.between(...params.sigma);
  const round = kind.endsWith('_iso') || kind === 'iso';
  return {
    kind,
    size,
    sigmaX,
    sigmaY: round ? sigmaX : random.between(...params.sigma),
    theta: round ? 0 : random.between(-Math.PI, Math.PI),
    beta: drawBeta(random, kind, params),
  };
}

function drawSinc(random: Random, size: number, lowest: number): SincKernel {
  return { kind: 'sinc', size, omega: random.between(lowest, Math.PI) };
}

function drawBeta(random: Random, kind: BlurKind, params: StageParams): number {
  switch (kind) {
    case 'iso':
    case 'aniso':
      return 1;
    case 'generalized_iso':
    case 'generalized_aniso':
      return aroundOne(random, params.betaGeneralized);
    case 'plateau_iso':
    case 'plateau_aniso':
      return aroundOne(random, params.betaPlateau);
  }
}

/** Half the draws below 1, half above, whatever the range. */
function aroundOne(random: Random, [low, high]: Range): number {
  return random.chance(0.5) ? random.between(low, 1) : random.between(1, high);
}

function drawScale(random: Random, { resizeProb, resizeRange: [low, high] }: StageParams): number {
  switch (random.weighted(resizeProb)) {
    case 'up':
      return random.between(1, high);
    case 'down':
      return random.between(low, 1);
    case 'keep':
      return 1;
  }
}

function drawNoise(random: Random, params: StageParams): NoisePlan {
  const gaussian = random.chance(params.gaussianProb);
  const grey = random.chance(params.greyProb);
  return gaussian
    ? { kind: 'gaussian', grey, sigma: random.between(...params.noiseSigma) }
    : { kind: 'poisson', grey, scale: random.between(...params.poissonScale) };
}
