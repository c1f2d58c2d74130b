/** @file The steps of NIQE, each against its definition. */
import test from 'ava';
import { fitAggd, type Moments } from '../../src/measures/aggd.ts';
import { gamma } from '../../src/measures/gamma.ts';
import { halve } from '../../src/measures/halve.ts';
import { roundHalfEven, studioLuma, yiqLuma } from '../../src/measures/luma.ts';
import { normalize } from '../../src/measures/normalize.ts';
import { random } from '../helpers/random.ts';
import { flat } from './pattern.ts';

function noise(
  width: number,
  height: number,
): { width: number; height: number; data: Float64Array } {
  const next = random(width * 1000 + height);
  const data = Float64Array.from({ length: width * height }, () => Math.floor(256 * next()));
  return { width, height, data };
}

test('gamma of whole numbers is a factorial, of halves a multiple of the root of pi', (t) => {
  let factorial = 1;
  let half = Math.sqrt(Math.PI);
  for (let n = 1; n <= 16; n++) {
    t.true(Math.abs(gamma(n) / factorial - 1) < 1e-13, `${n}`);
    t.true(Math.abs(gamma(n - 0.5) / half - 1) < 1e-13, `${n - 0.5}`);
    factorial *= n;
    half *= n - 0.5;
  }
});

/** Moments of a generalised Gaussian of one shape and two widths, from its density. */
function momentsOf(alpha: number, left: number, right: number): Moments {
  // Of |x| with density ~ exp(-(|x| / b)^a): E|x| = b G(2/a) / G(1/a), Ex^2 = b^2 G(3/a) / G(1/a).
  const first = gamma(2 / alpha) / gamma(1 / alpha);
  const second = gamma(3 / alpha) / gamma(1 / alpha);
  const leftCount = (1000 * left) / (left + right);
  const rightCount = 1000 - leftCount;
  return {
    count: 1000,
    absolute: first * (leftCount * left + rightCount * right),
    leftCount,
    leftSquares: leftCount * second * left ** 2,
    rightCount,
    rightSquares: rightCount * second * right ** 2,
  };
}

const recovers = test.macro({
  title: (_, alpha: number, left: number, right: number) =>
    `a distribution of shape ${alpha} and widths ${left}, ${right} is found from its moments`,
  exec(t, alpha: number, left: number, right: number) {
    const fit = fitAggd(momentsOf(alpha, left, right));
    const mean = ((right - left) * gamma(2 / alpha)) / gamma(1 / alpha);
    t.true(Math.abs(fit.alpha - alpha) < 1e-9, `${fit.alpha}`);
    t.true(Math.abs(fit.left - left) < 1e-9);
    t.true(Math.abs(fit.right - right) < 1e-9);
    t.true(Math.abs(fit.mean - mean) < 1e-9);
  },
});
test(recovers, 2, 1, 1);
test(recovers, 1, 0.5, 2);
test(recovers, 0.743, 3, 1.25);
test(recovers, 5.5, 1, 1.1);

test('values on one side of zero only have no distribution', (t) => {
  const oneSided = { ...momentsOf(2, 1, 1), leftCount: 0, leftSquares: 0 };
  t.deepEqual(fitAggd(oneSided), { alpha: NaN, mean: NaN, left: NaN, right: NaN });
});

test('halving is an antialiased bicubic with mirrored borders', (t) => {
  const { width, height, data } = noise(12, 18);
  const small = halve({ width, height, data });
  const keys = (x: number): number => {
    const a = Math.abs(x);
    if (a < 1) return 1.5 * a ** 3 - 2.5 * a ** 2 + 1;
    return a < 2 ? -0.5 * a ** 3 + 2.5 * a ** 2 - 4 * a + 2 : 0;
  };
  const mirror = (i: number, n: number): number => (i < 0 ? -1 - i : i < n ? i : 2 * n - 1 - i);
  for (let i = 0; i < height / 2; i++) {
    for (let j = 0; j < width / 2; j++) {
      let sum = 0;
      for (let y = 2 * i - 4; y < 2 * i + 6; y++) {
        for (let x = 2 * j - 4; x < 2 * j + 6; x++) {
          const weight = (keys((y - 2 * i - 0.5) / 2) / 2) * (keys((x - 2 * j - 0.5) / 2) / 2);
          sum += weight * data[mirror(y, height) * width + mirror(x, width)]!;
        }
      }
      t.true(Math.abs(small.data[(i * width) / 2 + j]! - sum) < 1e-4);
    }
  }
  t.deepEqual([small.width, small.height], [6, 9]);
});

test('normalizing takes mean and deviation under a 7x7 Gaussian, borders repeated', (t) => {
  const { width, height, data } = noise(9, 7);
  const { normalized, deviation } = normalize({ width, height, data });
  const clamp = (i: number, n: number): number => Math.max(0, Math.min(i, n - 1));
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      let [total, mean, square] = [0, 0, 0];
      for (let y = -3; y <= 3; y++) {
        for (let x = -3; x <= 3; x++) {
          const weight = Math.exp(-(x * x + y * y) / (2 * (7 / 6) ** 2));
          const v = data[clamp(i + y, height) * width + clamp(j + x, width)]!;
          total += weight;
          mean += weight * v;
          square += weight * v * v;
        }
      }
      mean /= total;
      const spread = Math.sqrt(square / total - mean * mean);
      const at = i * width + j;
      t.true(Math.abs(deviation.data[at]! - spread) < 1e-4);
      t.true(Math.abs(normalized.data[at]! - (data[at]! - mean) / (spread + 1)) < 1e-5);
    }
  }
});

test('rounding goes to the nearest whole number, halves to the even one', (t) => {
  t.deepEqual([0.5, 1.5, 2.5, 2.4999, 2.5001, 254.5].map(roundHalfEven), [0, 2, 2, 2, 3, 254]);
});

test('black and white are 16 and 235 in studio range, 0 and 255 in YIQ', (t) => {
  t.deepEqual([...studioLuma(flat(1, 1, 0))], [16]);
  t.deepEqual([...studioLuma(flat(1, 1, 255))], [235]);
  t.deepEqual([...yiqLuma(flat(1, 1, 0)), ...yiqLuma(flat(1, 1, 255))], [0, 255]);
  t.deepEqual([...yiqLuma(flat(1, 1, 255, 0, 0))], [76]); // .299 * 255 = 76.2
});
