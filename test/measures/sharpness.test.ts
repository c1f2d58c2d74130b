/** @file Sharpness and seams on pictures whose answers are known. */
import test from 'ava';
import type { Rgb } from '../../src/measures/rgb.ts';
import { bordersEvery, findSeams } from '../../src/measures/seams.ts';
import { bandRatios, gradientRatio } from '../../src/measures/sharpness.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { flat, texture } from './pattern.ts';

/** A grey picture of a function of x and y, in levels. */
function draw(width: number, height: number, level: (x: number, y: number) => number): Rgb {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    data.fill(Math.round(level(i % width, Math.floor(i / width))), 3 * i, 3 * i + 3);
  }
  return { width, height, data };
}

/** Waves along x of `period` pixels. */
const waves = (amplitude: number, period: number): Rgb =>
  draw(64, 48, (x) => 128 + amplitude * Math.cos((2 * Math.PI * x) / period));

test('contrast k times as high has k squared times the gradient energy and power', (t) => {
  const reference = waves(20, 4);
  const result = waves(60, 4);
  t.is(gradientRatio(reference, reference), 1);
  t.true(Math.abs(gradientRatio(result, reference) - 9) < 0.05); // rounding to levels
  t.true(Math.abs(bandRatios(result, reference).high - 9) < 0.05);
});

test('waves of 3 pixels are fine detail, of 6 middle detail, of 16 neither', (t) => {
  const reference = texture(64, 48, 1, 2);
  const base = draw(64, 48, () => 128);
  const add = (period: number): Rgb => {
    const data = reference.data.map((v, i) => {
      const x = Math.floor(i / 3) % 64;
      return Math.max(0, Math.min(255, v + Math.round(30 * Math.cos((2 * Math.PI * x) / period))));
    });
    return { ...base, data };
  };
  const [fine, middle, coarse] = [3, 6, 16].map((period) => bandRatios(add(period), reference));
  t.true(fine!.high > 10 && fine!.middle < 1.5, JSON.stringify(fine));
  t.true(middle!.middle > 10 && middle!.high < 1.5, JSON.stringify(middle));
  t.true(coarse!.middle < 1.5 && coarse!.high < 1.5, JSON.stringify(coarse));
});

/** numpy 1.26.4: np.fft.fft2 and np.hanning on the same pictures. */
test('bands and gradients equal those numpy gives, at any size', (t) => {
  const [result, reference] = [texture(45, 37, 1, 20), texture(45, 37, 1, 3)];
  const { high, middle } = bandRatios(result, reference);
  t.true(Math.abs(high / 23.61335331598675 - 1) < 1e-10);
  t.true(Math.abs(middle / 3.102647681332068 - 1) < 1e-10);
  t.true(Math.abs(gradientRatio(result, reference) / 5.943166293723438 - 1) < 1e-10);
});

test('a flat reference has no ratio, and sizes must agree', (t) => {
  t.is(gradientRatio(flat(9, 9, 3), flat(9, 9, 3)), NaN);
  t.throws(() => gradientRatio(flat(9, 9, 3), flat(9, 8, 3)), { instanceOf: ShapeError });
  t.throws(() => bandRatios(flat(9, 9, 3), flat(9, 8, 3)), { instanceOf: ShapeError });
});

test('texture without tiles shows no seam; a step of one level in a smooth sky does', (t) => {
  const grain = texture(256, 256, 4, 25);
  t.true(Math.abs(findSeams(grain, bordersEvery(64, 256, 256)).ratio - 1) < 0.2);
  const sky = (step: number): Rgb => draw(256, 256, (x, y) => 90 + y / 8 + (x >= 100 ? step : 0));
  t.true(findSeams(sky(0), { columns: [100], rows: [] }).ratio < 1.1);
  t.true(findSeams(sky(1), { columns: [100], rows: [] }).ratio > 4);
  t.true(findSeams(sky(1), { columns: [99], rows: [] }).ratio < 1.1); // beside it, nothing
  t.true(findSeams(sky(3), { columns: [50, 100], rows: [50] }).worst > 40);
});

test('rows are looked at as columns are', (t) => {
  const across = draw(80, 60, (x, y) => 90 + 10 * Math.sin(y) + (x >= 40 ? 8 : 0));
  const down = draw(60, 80, (x, y) => 90 + 10 * Math.sin(x) + (y >= 40 ? 8 : 0));
  t.deepEqual(
    findSeams(across, { columns: [40], rows: [] }),
    findSeams(down, { columns: [], rows: [40] }),
  );
});

test('against the untiled picture a seam shows that texture hides', (t) => {
  const untiled = texture(256, 256, 4, 25);
  const data = untiled.data.map((v, i) => v + (Math.floor(i / 3) % 256 >= 128 ? 2 : 0));
  const tiled = { ...untiled, data };
  const borders = { columns: [128], rows: [] };
  t.true(findSeams(tiled, borders).ratio < 1.3);
  t.true(findSeams(tiled, borders, untiled).ratio > 10);
});

test('borders outside the picture, or none, are refused', (t) => {
  t.throws(() => findSeams(flat(9, 9, 1), { columns: [9], rows: [] }), { instanceOf: ShapeError });
  t.throws(() => findSeams(flat(9, 9, 1), { columns: [], rows: [0] }), { instanceOf: ShapeError });
  t.throws(() => findSeams(flat(9, 9, 1), { columns: [], rows: [] }), { instanceOf: ShapeError });
  t.deepEqual(bordersEvery(64, 192, 63), { columns: [64, 128], rows: [] });
});
