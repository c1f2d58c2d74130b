/** @file The measures there are, by name. */
import { UsageError } from '../tensor/errors.ts';
import { clipiqa } from './clipiqa.ts';
import { dists } from './dists.ts';
import { fid } from './fid.ts';
import { lpips, lpipsVgg } from './lpips.ts';
import { maniqa, maniqaVariants } from './maniqa.ts';
import { arithmeticMean, geometricMean, type Measure, meterOf } from './measure.ts';
import { musiq, musiqVariants } from './musiq.ts';
import { type NetworkMeasure, networkMeasure, type Networks } from './network-measure.ts';
import { niqe } from './niqe.ts';
import { type Gaussian, publishedPrior } from './niqe-prior.ts';
import { psnr } from './psnr.ts';
import type { Rgb } from './rgb.ts';
import { bordersEvery, findSeams } from './seams.ts';
import { type BandRatios, bandRatios, gradientRatio } from './sharpness.ts';
import { ssim } from './ssim.ts';

/**
 * All measures: those of the paper's Table 1, our own for judging a model in the making, and variants
 * that are taken only when they are named.
 */
export interface Catalogue {
  readonly paper: readonly Measure[];
  readonly development: readonly Measure[];
  readonly variants: readonly Measure[];
}

/** The measures of a run, and those left out because something lacks. */
export interface Choice {
  readonly chosen: readonly Measure[];
  readonly missing: readonly Measure[];
}

/**
 * Every measure this program has.
 *
 * @param prior NIQE's prior
 * @param networks what measures that are networks run with; without, they lack their weights
 */
export function catalogue(prior: Gaussian = publishedPrior(), networks?: Networks): Catalogue {
  const paired = { better: 'higher', needsReference: true, digits: 4 } as const;
  const bands = bandsOnce();
  const learned = (measure: NetworkMeasure): Measure => networkMeasure(measure, networks);
  return {
    paper: [
      classic({ name: 'psnr', title: 'PSNR', ...paired }, psnr),
      classic({ name: 'ssim', title: 'SSIM', ...paired }, ssim),
      ...[lpips, dists, fid].map(learned),
      classic(
        { name: 'niqe', title: 'NIQE', better: 'lower', needsReference: false, digits: 4 },
        (result) => niqe(result, prior),
      ),
      ...[musiq, maniqa, clipiqa].map(learned),
    ],
    development: [
      ratio('grad', 'gradients', gradientRatio),
      ratio('hf', 'fine detail', (result, reference) => bands(result, reference).high),
      ratio('mf', 'middle detail', (result, reference) => bands(result, reference).middle),
    ],
    variants: [lpipsVgg, ...musiqVariants, ...maniqaVariants].map(learned),
  };
}

/**
 * The measures that a list names, separated by commas: names, `paper`, `all`, or `seam:N` (seams
 * between tiles whose borders lie every N pixels). Without a list, those of the paper.
 *
 * @param withReference whether there are references
 * @returns as `missing`, measures of a group that lack something; those of a group that need
 *   references are left out when there are none
 * @throws UsageError for an unknown name, or a named measure that needs references or lacks something.
 */
export function chooseMeasures(
  list: string | undefined,
  { paper, development, variants }: Catalogue,
  withReference: boolean,
): Choice {
  const known = [...paper, ...development, ...variants];
  const groups: Readonly<Record<string, readonly Measure[]>> = {
    paper,
    all: [...paper, ...development],
  };
  const chosen = new Set<Measure>();
  const missing = new Set<Measure>();
  for (const entry of (list ?? 'paper').split(',')) {
    const name = entry.trim().toLowerCase();
    const group = Object.hasOwn(groups, name) ? groups[name] : undefined;
    for (const measure of group ?? [byName(name, known)]) {
      const usable = withReference || !measure.needsReference;
      if (!group) requireUsable(measure, usable);
      if (usable) (measure.lacks === undefined ? chosen : missing).add(measure);
    }
  }
  return { chosen: [...chosen], missing: [...missing] };
}

function requireUsable({ name, lacks }: Measure, usable: boolean): void {
  if (!usable) {
    throw new UsageError(
      `measures: "${name}" compares with references, got none. Give their folder with --hr.`,
    );
  }
  if (lacks !== undefined) throw new UsageError(`measures: "${name}" lacks ${lacks}`);
}

function byName(name: string, known: readonly Measure[]): Measure {
  const period = Number(/^seam:(\d+)$/.exec(name)?.[1] ?? 0);
  const found = period > 0 ? seams(period) : known.find((measure) => measure.name === name);
  if (found) return found;
  const names = known.map((measure) => measure.name).join(', ');
  throw new UsageError(
    `measures: expected names among ${names}, seam:PIXELS, paper and all, got "${name}".`,
  );
}

type Score = (result: Rgb, reference: Rgb) => number;

function classic(description: Omit<Measure, 'open'>, score: Score): Measure {
  return { ...description, open: () => Promise.resolve(meterOf(score, arithmeticMean)) };
}

function ratio(name: string, title: string, score: Score, needsReference = true): Measure {
  const open: Measure['open'] = () => Promise.resolve(meterOf(score, geometricMean));
  return { name, title, better: 'one', needsReference, digits: 3, open };
}

function seams(period: number): Measure {
  const score = (picture: Rgb): number => {
    const borders = bordersEvery(period, picture.width, picture.height);
    const some = borders.columns.length + borders.rows.length > 0;
    return some ? findSeams(picture, borders).ratio : NaN;
  };
  return ratio(`seam:${period}`, 'seams', score, false);
}

/** Both bands come out of one transform: it is made once a picture. */
function bandsOnce(): (result: Rgb, reference: Rgb) => BandRatios {
  const known = new WeakMap<Rgb, { reference: Rgb; ratios: BandRatios }>();
  return (result, reference) => {
    const last = known.get(result);
    if (last?.reference === reference) return last.ratios;
    const ratios = bandRatios(result, reference);
    known.set(result, { reference, ratios });
    return ratios;
  };
}
