import test from 'ava';
import { besselJ1 } from '../../src/degrade/bessel.ts';
import { kernelWeights, type BlurKernel, type BlurKind } from '../../src/degrade/kernels.ts';
import { largestDifference } from './compare.ts';

const kinds: readonly BlurKind[] = [
  'iso',
  'aniso',
  'generalized_iso',
  'generalized_aniso',
  'plateau_iso',
  'plateau_aniso',
];

function blur(kind: BlurKind, changes: Partial<BlurKernel> = {}): BlurKernel {
  const round = kind.endsWith('_iso') || kind === 'iso';
  const shape = { sigmaX: 1.3, sigmaY: round ? 1.3 : 2.1, theta: round ? 0 : 0.7, beta: 1.6 };
  return { kind, size: 13, ...shape, ...changes };
}

function weights(kernel: Parameters<typeof kernelWeights>[0]): Float64Array {
  return kernelWeights(kernel).data;
}

for (const kernel of [
  ...kinds.map((kind) => blur(kind)),
  { kind: 'sinc', size: 13, omega: 1.2 } as const,
]) {
  test(`${kernel.kind} sums to 1 and is the same turned by half a turn`, (t) => {
    const w = weights(kernel);
    t.true(Math.abs(w.reduce((sum, v) => sum + v, 0) - 1) < 1e-14);
    t.true(largestDifference(w, w.slice().reverse()) < 1e-16);
  });
}

for (const kernel of [
  blur('iso'),
  blur('generalized_iso'),
  blur('plateau_iso'),
  { kind: 'sinc', size: 13, omega: 1.2 } as const,
]) {
  test(`${kernel.kind} is the same along both axes`, (t) => {
    const w = weights(kernel);
    t.true(largestDifference(w, transposed(w, 13)) < 1e-16);
  });
}

test('a Gaussian has the ratios of its formula', (t) => {
  const w = weights(blur('iso', { size: 7, sigmaX: 0.9, sigmaY: 0.9 }));
  const at = (x: number, y: number) => w[(y + 3) * 7 + x + 3]!;
  t.true(Math.abs(at(1, 0) / at(0, 0) - Math.exp(-0.5 / 0.81)) < 1e-15);
  t.true(Math.abs(at(2, 1) / at(0, 0) - Math.exp(-2.5 / 0.81)) < 1e-15);
});

test('a plateau kernel has half its height where q is 1', (t) => {
  const w = weights(blur('plateau_iso', { size: 7, sigmaX: 2, sigmaY: 2, beta: 1.7 }));
  t.true(Math.abs(w[3 * 7 + 5]! / w[3 * 7 + 3]! - 0.5) < 1e-15);
});

test('theta turns x towards y, and a quarter turn swaps the deviations', (t) => {
  const wide = weights(blur('aniso', { sigmaX: 3, sigmaY: 0.5, theta: Math.PI / 4 }));
  t.true(wide[8 * 13 + 8]! > 100 * wide[4 * 13 + 8]!); // right and below, not right and above
  const turned = weights(blur('aniso', { theta: Math.PI / 2 }));
  const swapped = weights(blur('aniso', { sigmaX: 2.1, sigmaY: 1.3, theta: 0 }));
  t.true(largestDifference(turned, swapped) < 1e-15);
});

test('a generalized Gaussian of shape 1 is a Gaussian', (t) => {
  const plain = weights(blur('aniso'));
  t.true(largestDifference(plain, weights(blur('generalized_aniso', { beta: 1 }))) < 1e-15);
});

test('a sinc filter passes what is below its cutoff and stops what is above', (t) => {
  const w = weights({ kind: 'sinc', size: 41, omega: 1.5 });
  const response = (frequency: number) =>
    w.reduce((sum, v, i) => sum + v * Math.cos(frequency * ((i % 41) - 20)), 0);
  t.true(Math.abs(response(0.8) - 1) < 0.05);
  t.true(Math.abs(response(2.3)) < 0.05);
});

test('J1 has the values of the tables', (t) => {
  const table: [number, number][] = [
    [0, 0],
    [1, 0.4400505857449335],
    [5, -0.3275791375914652],
    [10, 0.04347274616886144],
    [30, -0.11875106261662292],
    [50, -0.09751182812517514],
  ];
  for (const [x, expected] of table) {
    t.true(Math.abs(besselJ1(x) - expected) < 2e-15, `J1(${x}) = ${besselJ1(x)}`);
  }
});

function transposed(w: Float64Array, size: number): Float64Array {
  return w.map((_, i) => w[(i % size) * size + Math.floor(i / size)]!);
}
