import test from 'ava';
import { drawPlan } from '../../src/degrade/draw.ts';
import type { BlurKernel } from '../../src/degrade/kernels.ts';
import { osediffParams } from '../../src/degrade/params.ts';
import type { Plan, StagePlan } from '../../src/degrade/plan.ts';

const count = 20_000;
const plans: readonly Plan[] = Array.from({ length: count }, (_, i) =>
  drawPlan(osediffParams, [11, i]),
);
const stages: readonly (readonly [1 | 2, readonly StagePlan[]])[] = [
  [1, plans.map(({ first }) => first)],
  [2, plans.map(({ second }) => second)],
];

test('a plan follows from its stream, and JSON keeps all of it', (t) => {
  for (const i of [0, 1, 2, 3, 4, 5]) {
    t.deepEqual(drawPlan(osediffParams, [11, i]), plans[i]!);
    t.deepEqual(JSON.parse(JSON.stringify(plans[i])), plans[i]);
  }
  t.notDeepEqual(drawPlan(osediffParams, [12, 0]), plans[0]!);
});

/** Checks a share of draws against its probability, within four standard errors. */
const share = test.macro({
  title: (_, what: string) => `draws ${what} as often as OSEDiff`,
  exec(t, _what: string, of: () => readonly boolean[], probability: number) {
    const draws = of();
    const seen = draws.filter(Boolean).length / draws.length;
    const error = Math.sqrt((probability * (1 - probability)) / draws.length);
    t.true(Math.abs(seen - probability) <= 4 * error, `${seen} for ${probability}`);
  },
});

test(share, 'a second blur', () => plans.map(({ second }) => second.blur !== null), 0.8);
test(share, 'a first blur', () => plans.map(({ first }) => first.blur !== null), 1);
test(
  share,
  'the sinc filter before the last JPEG',
  () => plans.map(({ final }) => final.order === 'sinc_first'),
  0.5,
);
test(share, 'a final sinc filter', () => plans.map(({ final }) => final.sinc !== null), 0.8);
test(share, 'bilinear back', () => plans.map(({ back }) => back.mode === 'bilinear'), 1 / 3);
test(share, 'area at the end', () => plans.map(({ final }) => final.mode === 'area'), 1 / 3);

const resizes = { 1: [0.2, 0.7, 0.1], 2: [0.3, 0.4, 0.3] } as const;
const scales = { 1: [0.15, 1.5], 2: [0.3, 1.2] } as const;
const sigmas = { 1: [0.2, 3], 2: [0.2, 1.5] } as const;
const noises = {
  1: [
    [1, 30],
    [0.05, 3],
  ],
  2: [
    [1, 25],
    [0.05, 2.5],
  ],
} as const;
const kinds = {
  iso: 0.45,
  aniso: 0.25,
  generalized_iso: 0.12,
  generalized_aniso: 0.03,
  plateau_iso: 0.12,
  plateau_aniso: 0.03,
};

for (const [n, all] of stages) {
  const kernels = all.flatMap(({ blur }) => (blur === null ? [] : [blur]));
  const blurs = kernels.filter((kernel): kernel is BlurKernel => kernel.kind !== 'sinc');
  test(share, `sinc kernels (${n})`, () => kernels.map(({ kind }) => kind === 'sinc'), 0.1);
  for (const [kind, probability] of Object.entries(kinds)) {
    test(
      share,
      `${kind} kernels (${n})`,
      () => blurs.map((blur) => blur.kind === kind),
      probability,
    );
  }
  test(share, `each kernel size (${n})`, () => kernels.map(({ size }) => size === 21), 1 / 8);
  test(share, `enlarging (${n})`, () => all.map(({ resize }) => resize.scale > 1), resizes[n][0]);
  test(share, `reducing (${n})`, () => all.map(({ resize }) => resize.scale < 1), resizes[n][1]);
  test(share, `bicubic (${n})`, () => all.map(({ resize }) => resize.mode === 'bicubic'), 1 / 3);
  test(
    share,
    `Gaussian noise (${n})`,
    () => all.map(({ noise }) => noise?.kind === 'gaussian'),
    0.5,
  );
  test(share, `grey noise (${n})`, () => all.map(({ noise }) => noise?.grey === true), 0.4);
  const plateaus = blurs.filter(({ kind }) => kind.startsWith('plateau'));
  test(share, `plateaus of shape 1 (${n})`, () => plateaus.map(({ beta }) => beta === 1), 0.5);
  const generalized = blurs.filter(({ kind }) => kind.startsWith('generalized'));
  test(
    share,
    `generalized shapes below 1 (${n})`,
    () => generalized.map(({ beta }) => beta < 1),
    0.5,
  );

  test(`draws over the whole of each range, and not beyond (${n})`, (t) => {
    const spans = (
      name: string,
      values: readonly number[],
      [low, high]: readonly [number, number],
    ) => {
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const slack = (high - low) / 50;
      t.true(least >= low && least < low + slack, `${name} from ${least}`);
      t.true(most <= high && most > high - slack, `${name} to ${most}`);
    };
    spans(
      'scale',
      all.map(({ resize }) => resize.scale),
      scales[n],
    );
    spans(
      'sigma x',
      blurs.map(({ sigmaX }) => sigmaX),
      sigmas[n],
    );
    spans(
      'sigma y',
      blurs.map(({ sigmaY }) => sigmaY),
      sigmas[n],
    );
    const turned = blurs.filter(({ kind }) => kind.endsWith('aniso'));
    spans(
      'theta',
      turned.map(({ theta }) => theta),
      [-Math.PI, Math.PI],
    );
    spans(
      'generalized beta',
      generalized.map(({ beta }) => beta),
      [0.5, 4],
    );
    spans(
      'plateau beta',
      plateaus.map(({ beta }) => beta),
      [1, 2],
    );
    spans(
      'quality',
      all.map(({ quality }) => quality!),
      [30, 95],
    );
    const gaussian = all.flatMap(({ noise }) => (noise?.kind === 'gaussian' ? [noise.sigma] : []));
    spans('noise sigma', gaussian, noises[n][0]);
    const poisson = all.flatMap(({ noise }) => (noise?.kind === 'poisson' ? [noise.scale] : []));
    spans('Poisson scale', poisson, noises[n][1]);
    const omegas = (wide: boolean) =>
      kernels.flatMap((k) => (k.kind === 'sinc' && k.size >= 13 === wide ? [k.omega] : []));
    spans('narrow cutoff', omegas(false), [Math.PI / 3, Math.PI]);
    spans('wide cutoff', omegas(true), [Math.PI / 5, Math.PI]);
  });

  test(`round kernels are round (${n})`, (t) => {
    for (const { kind, sigmaX, sigmaY, theta } of blurs) {
      const round = kind === 'iso' || kind.endsWith('_iso');
      t.is(sigmaX === sigmaY && theta === 0, round);
    }
  });
}

test('probabilities of 0 leave steps out', (t) => {
  const bare = { ...osediffParams.first, blurProb: 0, noiseProb: 0, jpegProb: 0 };
  const { first } = drawPlan({ ...osediffParams, first: bare }, [1]);
  t.deepEqual([first.blur, first.noise, first.quality], [null, null, null]);
});
