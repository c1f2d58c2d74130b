import test from 'ava';
import { blockForward, blockInverse } from '../../src/degrade/dct.ts';
import { diffJpeg } from '../../src/degrade/jpeg.ts';
import { roundEven } from '../../src/degrade/planes.ts';
import { realJpeg } from '../../src/degrade/real-jpeg.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import { random } from '../helpers/random.ts';
import { largestDifference } from './compare.ts';
import { noisePlanes, planesOf, scene } from './pictures.ts';

test('the cosine transform is that of its definition, and its inverse undoes it', (t) => {
  const next = random(1);
  const plane = Float64Array.from({ length: 8 * 10 }, next); // ten a row: a block inside a plane
  const block = new Float64Array(64);
  blockForward(plane, 1, 10, block);
  for (const [u, v] of [
    [0, 0],
    [0, 3],
    [5, 0],
    [7, 6],
  ] as const) {
    let sum = 0;
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        const cosines =
          Math.cos(((2 * y + 1) * u * Math.PI) / 16) * Math.cos(((2 * x + 1) * v * Math.PI) / 16);
        sum += plane[10 * y + x + 1]! * cosines;
      }
    }
    const scale = (u === 0 ? Math.SQRT1_2 : 1) * (v === 0 ? Math.SQRT1_2 : 1) * 0.25;
    t.true(Math.abs(block[8 * u + v]! - scale * sum) < 1e-14, `${u}, ${v}`);
  }
  const back = plane.slice();
  back.fill(0);
  blockInverse(block, back, 1, 10);
  for (let i = 0; i < 80; i++) {
    const inside = i % 10 >= 1 && i % 10 <= 8;
    t.true(Math.abs(back[i]! - (inside ? plane[i]! : 0)) < 1e-14);
  }
});

test('rounds halves to even', (t) => {
  const values = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999999, 0.49999999999999994, -7.7, 1e9 + 0.5];
  t.deepEqual(
    values.map((v) => roundEven(v) + 0),
    [-2, -2, 0, 0, 2, 2, 2, 0, -8, 1e9],
  );
});

/** The grey levels 0..255 that a flat grey picture of a level becomes. */
function flat(level: number, quality: number): number[] {
  const y = diffJpeg(
    planesOf(3, 16, 16, () => level / 255),
    quality,
  );
  return [...new Set(y.data.map((v) => Math.fround(v * 255)))].map(
    (v) => Math.round(v * 1e4) / 1e4,
  );
}

test('flat grey keeps a multiple of the first step, an eighth of it in grey levels', (t) => {
  // At quality 50 the step is 16: levels go in steps of 2 from 128.
  t.deepEqual(flat(100, 50), [100]);
  t.deepEqual(flat(102, 50), [102]);
  t.deepEqual(flat(100.7, 50), [100]);
  t.deepEqual(flat(101.3, 50), [102]);
  // At 75.5 the step is 16 * 0.49 = 7.84, 0.98 levels: 28 below 128 is 28.57 steps, so 29.
  t.deepEqual(flat(100, 75.5), [128 - 29 * 0.98]);
  // At 25 the factor is 5000 / 25 / 100 = 2.
  t.deepEqual(flat(101, 25), [100]);
});

test('vertical and horizontal frequencies have steps of their own', (t) => {
  // A cosine of amplitude a has the coefficient a * 4 sqrt 2; 17 is 1.55 steps of 11, 1.42 of 12.
  const amplitude = 17 / Math.SQRT2 / 4;
  const wave = (i: number) =>
    (128 + amplitude * Math.cos(((2 * (i % 8) + 1) * Math.PI) / 16)) / 255;
  const gain = (vertical: boolean): number => {
    const x = planesOf(3, 16, 16, (_c, y, column) => wave(vertical ? y : column));
    const y = diffJpeg(x, 50);
    return (y.data[0]! * 255 - 128) / (x.data[0]! * 255 - 128);
  };
  t.true(Math.abs(gain(true) - 22 / 17) < 1e-5);
  t.true(Math.abs(gain(false) - 12 / 17) < 1e-5);
});

test('colour is averaged over 2x2 pixels', (t) => {
  const checks = (c: number, y: number, x: number) =>
    (x + y) % 2 === 0 ? [0.8, 0.2, 0.4][c]! : 0.5;
  const y = diffJpeg(planesOf(3, 16, 16, checks), 99.9);
  const chroma = (i: number) => y.data[i]! - (y.data[i]! + y.data[i + 256]! + y.data[i + 512]!) / 3;
  t.true(Math.abs(chroma(0) - chroma(1)) < 0.02); // their own were 0.33 and 0
});

test('a size that is no multiple of 16 is padded with black', (t) => {
  const x = planesOf(3, 10, 21, () => 0.6);
  const padded = planesOf(3, 16, 32, (_c, y, column) => (y < 10 && column < 21 ? 0.6 : 0));
  const y = diffJpeg(x, 70);
  const whole = diffJpeg(padded, 70);
  t.deepEqual(y.shape, [3, 10, 21]);
  t.deepEqual(
    y.data,
    planesOf(3, 10, 21, (c, r, column) => whole.data[(c * 16 + r) * 32 + column]!).data,
  );
});

test('results stay in [0, 1] without being rounded', (t) => {
  const y = diffJpeg(noisePlanes(5, 3, 32, 32), 40).data;
  t.true(y.every((v) => v >= 0 && v <= 1));
  t.true(y.some((v) => Math.abs(v * 255 - Math.round(v * 255)) > 0.1));
});

test('refuses qualities that quantise by zero or worse', (t) => {
  for (const quality of [0, -3, 100, Number.NaN]) {
    t.throws(() => diffJpeg(noisePlanes(1, 3, 8, 8), quality), {
      instanceOf: UsageError,
      message: /^jpeg: expected a quality above 0 and below 100, got/,
    });
  }
});

test('real JPEG loses about as much as the computed one, on bytes', async (t) => {
  const x = scene(61, 83);
  for (const quality of [40, 90]) {
    const real = await realJpeg(x, quality);
    t.deepEqual(real.shape, x.shape);
    t.true(real.data.every((v) => Math.abs(v * 255 - Math.round(v * 255)) < 1e-4));
    const [lost, computed] = [rms(real.data, x.data), rms(diffJpeg(x, quality).data, x.data)];
    t.true(lost > computed / 2 && lost < computed * 2, `${lost} beside ${computed}`);
  }
  t.true(largestDifference((await realJpeg(x, 40.4)).data, (await realJpeg(x, 40)).data) === 0);
});

function rms(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / a.length);
}
