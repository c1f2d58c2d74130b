import test from 'ava';
import { gaussianNoise, noiseCount, poissonBase, poissonNoise } from '../../src/degrade/noise.ts';
import { drawCounts } from '../../src/degrade/poisson.ts';
import { Random } from '../../src/tensor/random.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { largestDifference } from './compare.ts';
import { noisePlanes, planesOf } from './pictures.ts';

test('Gaussian noise is sigma / 255 times the numbers given', (t) => {
  const x = planesOf(3, 1, 2, () => 0.5);
  const y = gaussianNoise(x, 25.5, Float32Array.of(1, -1, 0, 2, 0.5, -3));
  t.true(largestDifference(y.data, [0.6, 0.4, 0.5, 0.7, 0.55, 0.2]) < 1e-6);
});

test('grey noise is the same in every plane', (t) => {
  const x = planesOf(3, 1, 2, (c) => 0.2 + 0.2 * c);
  const y = gaussianNoise(x, 25.5, Float32Array.of(1, -1));
  t.true(largestDifference(y.data, [0.3, 0.1, 0.5, 0.3, 0.7, 0.5]) < 1e-6);
  t.is(noiseCount(x, true), 2);
  t.is(noiseCount(x, false), 6);
});

test('noisy pictures are clamped', (t) => {
  const y = gaussianNoise(
    planesOf(3, 1, 1, () => 0.9),
    255,
    Float32Array.of(1, -1, 0),
  );
  t.deepEqual([...y.data], [1, 0, Math.fround(0.9)]);
});

test('the levels are the power of two that the different bytes fill', (t) => {
  const levels = (count: number) =>
    poissonBase(
      planesOf(3, 4, 4, (c, y, x) => ((c * 16 + y * 4 + x) % count) / 255),
      false,
    ).levels;
  t.deepEqual([1, 2, 3, 4, 5, 33].map(levels), [1, 2, 4, 4, 8, 64]);
});

test('values of the base are rounded and clamped to bytes', (t) => {
  const x = planesOf(
    3,
    1,
    2,
    (c, _y, column) => [-0.5, 1.7, 10.4, 10.6, 99.5, 100.5][2 * c + column]! / 255,
  );
  t.deepEqual([...poissonBase(x, false).bytes.subarray(0, 4)], [0, 2, 10, 11]);
  t.deepEqual(
    [
      ...poissonBase(
        planesOf(3, 1, 1, () => 1.4),
        false,
      ).bytes,
    ],
    [255, 255, 255],
  );
});

test('grey Poisson noise is drawn from the luma', (t) => {
  const x = planesOf(3, 1, 1, (c) => [200, 100, 50][c]! / 255);
  t.deepEqual(
    [...poissonBase(x, true).bytes],
    [Math.round(0.2989 * 200 + 0.587 * 100 + 0.114 * 50)],
  );
});

test('Poisson noise is the counts less what they should be, times the scale', (t) => {
  const x = planesOf(3, 1, 1, (c) => [51, 102, 204][c]! / 255); // 0.2, 0.4, 0.8 of 4 levels
  const base = poissonBase(x, false);
  t.is(base.levels, 4);
  const y = poissonNoise(x, 0.5, base, Float32Array.of(1, 0, 4));
  t.true(largestDifference(y.data, [0.2 + 0.5 * 0.05, 0.4 - 0.5 * 0.4, 0.8 + 0.5 * 0.2]) < 1e-6);
});

test('Poisson noise keeps the mean and has the variance of its counts', (t) => {
  const x = planesOf(3, 100, 100, (c, y, column) => 0.4 + ((c + y + column) % 16) / 255);
  const base = poissonBase(x, false);
  const y = poissonNoise(x, 0.25, base, drawCounts(new Random([3]), base.bytes, base.levels));
  const noise = y.data.map((v, i) => v - x.data[i]!);
  const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
  const variance = noise.reduce((a, b) => a + b * b, 0) / noise.length;
  const expected = (0.25 ** 2 * (0.4 + 7.5 / 255)) / 16;
  t.true(Math.abs(mean) < 4 * Math.sqrt(expected / noise.length));
  t.true(Math.abs(variance / expected - 1) < 0.04);
});

test('refuses random numbers that do not fit', (t) => {
  const x = noisePlanes(1, 3, 4, 5);
  const message = /^noise: expected /;
  t.throws(() => gaussianNoise(x, 1, new Float32Array(19)), { instanceOf: ShapeError, message });
  const base = poissonBase(x, true);
  t.throws(() => poissonNoise(x, 1, base, new Float32Array(60)), {
    instanceOf: ShapeError,
    message,
  });
});
