/** @file Parameters of the degradation, with the values of OSEDiff's `params_realesrgan.yml`. */
import { readFile } from 'node:fs/promises';
import { explainPathError } from '../image/path-errors.ts';
import { FormatError } from '../tensor/errors.ts';
import {
  flag,
  kernelSizeList,
  nested,
  probability,
  range,
  wholeFrom,
  weights,
  type Fields,
} from './params-checks.ts';
import type { BlurKind } from './kernels.ts';

/** From the lower to the upper bound, both possible. */
export type Range = readonly [low: number, high: number];

/** One round of blur, resize, noise and JPEG. */
export interface StageParams {
  /** How often there is a blur at all. */
  readonly blurProb: number;
  /** How often the blur is a sinc filter rather than one of `kinds`. */
  readonly sincProb: number;
  /** How often each kind is taken, relative to the others. */
  readonly kinds: Readonly<Record<BlurKind, number>>;
  /** Standard deviation of the blur along each axis, in pixels. */
  readonly sigma: Range;
  /** Shape of generalized Gaussians; half the draws lie below 1, half above. */
  readonly betaGeneralized: Range;
  /** Shape of plateau kernels, drawn likewise. */
  readonly betaPlateau: Range;
  readonly resizeProb: Readonly<Record<'up' | 'down' | 'keep', number>>;
  /** Factors: the first to 1 when down, 1 to the last when up. */
  readonly resizeRange: Range;
  /** How often there is noise at all. */
  readonly noiseProb: number;
  /** How often noise is Gaussian rather than Poisson. */
  readonly gaussianProb: number;
  /** How often noise is the same in all three channels. */
  readonly greyProb: number;
  /** Standard deviation of Gaussian noise, in 1/255. */
  readonly noiseSigma: Range;
  /** Strength of Poisson noise. */
  readonly poissonScale: Range;
  /** How often there is JPEG at all. */
  readonly jpegProb: number;
  /** Quality, above 0 and below 100. */
  readonly jpegQuality: Range;
}

/** All parameters of the degradation. */
export interface DegradeParams {
  /** How many times smaller the result is. */
  readonly scale: number;
  /** Sides of kernels, odd, each as likely. */
  readonly kernelSizes: readonly number[];
  /** Unsharp masking of the ground truth, which OSEDiff has commented out. */
  readonly sharpenTruth: boolean;
  readonly first: StageParams;
  readonly second: StageParams;
  readonly final: {
    /** How often the reduction and the sinc filter come before the last JPEG rather than after. */
    readonly sincFirstProb: number;
    /** How often there is a final sinc filter. */
    readonly sincProb: number;
  };
}

const kinds: StageParams['kinds'] = {
  iso: 0.45,
  aniso: 0.25,
  generalized_iso: 0.12,
  generalized_aniso: 0.03,
  plateau_iso: 0.12,
  plateau_aniso: 0.03,
};

/** OSEDiff's values. Its file has none for `noiseProb` and `jpegProb`: noise and JPEG always come. */
export const osediffParams: DegradeParams = {
  scale: 4,
  kernelSizes: [7, 9, 11, 13, 15, 17, 19, 21],
  sharpenTruth: false,
  first: {
    blurProb: 1,
    sincProb: 0.1,
    kinds,
    sigma: [0.2, 3],
    betaGeneralized: [0.5, 4],
    betaPlateau: [1, 2],
    resizeProb: { up: 0.2, down: 0.7, keep: 0.1 },
    resizeRange: [0.15, 1.5],
    noiseProb: 1,
    gaussianProb: 0.5,
    greyProb: 0.4,
    noiseSigma: [1, 30],
    poissonScale: [0.05, 3],
    jpegProb: 1,
    jpegQuality: [30, 95],
  },
  second: {
    blurProb: 0.8,
    sincProb: 0.1,
    kinds,
    sigma: [0.2, 1.5],
    betaGeneralized: [0.5, 4],
    betaPlateau: [1, 2],
    resizeProb: { up: 0.3, down: 0.4, keep: 0.3 },
    resizeRange: [0.3, 1.2],
    noiseProb: 1,
    gaussianProb: 0.5,
    greyProb: 0.4,
    noiseSigma: [1, 25],
    poissonScale: [0.05, 2.5],
    jpegProb: 1,
    jpegQuality: [30, 95],
  },
  final: { sincFirstProb: 0.5, sincProb: 0.8 },
};

const stageFields: Fields<StageParams> = {
  blurProb: probability,
  sincProb: probability,
  kinds: weights,
  sigma: range({ above: 0 }),
  betaGeneralized: range({ above: 0, around: 1 }),
  betaPlateau: range({ above: 0, around: 1 }),
  resizeProb: weights,
  resizeRange: range({ above: 0, around: 1 }),
  noiseProb: probability,
  gaussianProb: probability,
  greyProb: probability,
  noiseSigma: range({ from: 0 }),
  poissonScale: range({ from: 0 }),
  jpegProb: probability,
  jpegQuality: range({ above: 0, below: 100 }),
};

const checkAll = nested<DegradeParams>({
  scale: wholeFrom(1),
  kernelSizes: kernelSizeList,
  sharpenTruth: flag,
  first: nested(stageFields),
  second: nested(stageFields),
  final: nested<DegradeParams['final']>({ sincFirstProb: probability, sincProb: probability }),
});

/**
 * Parameters from JSON: an object with any of the names of `DegradeParams`, at any depth; what it
 * leaves out keeps OSEDiff's value.
 *
 * @param where the file, for messages
 * @throws ConfigError when a name is unknown or a value not possible, naming it
 */
export function paramsFrom(value: unknown, where = 'params'): DegradeParams {
  return checkAll(value, where, osediffParams);
}

/**
 * Parameters from a JSON file.
 *
 * @throws PathError when it cannot be read, FormatError when it is no JSON, ConfigError by `paramsFrom`
 */
export async function readParams(file: string): Promise<DegradeParams> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw explainPathError(error, file);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${file}: expected JSON, got text that is not.`, { cause: error });
  }
  return paramsFrom(value, file);
}
