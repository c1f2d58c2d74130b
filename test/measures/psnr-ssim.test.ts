/** @file PSNR and SSIM against their definitions, pyiqa 0.1.10, and the scores the authors published. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { psnr } from '../../src/measures/psnr.ts';
import type { Rgb } from '../../src/measures/rgb.ts';
import { ssim } from '../../src/measures/ssim.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { flat, texture } from './pattern.ts';
import { readRgb, shared } from './pictures.ts';

const smooth = texture(301, 213, 1, 0);

test('equal pictures have 80 dB and an SSIM of 1', (t) => {
  t.is(psnr(smooth, smooth), 80);
  t.true(Math.abs(ssim(smooth, smooth) - 1) < 1e-12);
});

test('one level of grey is 219 / 255 of a level of Y', (t) => {
  const step = 219 / 255 / 255;
  const expected = 10 * Math.log10(1 / (step * step + 1e-8));
  t.true(Math.abs(psnr(flat(5, 3, 100), flat(5, 3, 101)) - expected) < 1e-9);
});

test('a level of red, green or blue weighs as in BT.601', (t) => {
  for (const [i, weight] of [65.481, 128.553, 24.966].entries()) {
    const color: [number, number, number] = [10, 20, 30];
    const other: [number, number, number] = [10, 20, 30];
    other[i]!++;
    const expected = 10 * Math.log10(1 / ((weight / 255 / 255) ** 2 + 1e-8));
    t.true(Math.abs(psnr(flat(4, 4, ...color), flat(4, 4, ...other)) - expected) < 1e-9);
  }
});

/** pyiqa 0.1.10 (torch 2.15, CPU) on the same pictures as PNG files. */
const fromPyiqa = test.macro({
  title: (_, grain: number, seed: number) => `agrees with pyiqa on grain ${grain}, texture ${seed}`,
  exec(t, grain: number, seed: number, expectedPsnr: number, expectedSsim: number) {
    const result = texture(301, 213, seed, grain);
    t.true(Math.abs(psnr(result, smooth) - expectedPsnr) < 2e-6); // float32 there
    t.true(Math.abs(ssim(result, smooth) - expectedSsim) < 1e-9);
  },
});
test(fromPyiqa, 12, 1, 32.29338073730469, 0.8613534123328747);
test(fromPyiqa, 30, 2, 15.455552101135254, 0.1914812796646863);

/** The formula as it stands, a full window at every place. */
function slowSsim(result: Rgb, reference: Rgb): number {
  const { width, height } = result;
  const y = ({ data }: Rgb): number[] =>
    Array.from({ length: width * height }, (_, i) =>
      Math.round(
        (65.481 * data[3 * i]! + 128.553 * data[3 * i + 1]! + 24.966 * data[3 * i + 2]!) / 255 + 16,
      ),
    );
  const [a, b] = [y(result), y(reference)];
  const gaussian = Array.from({ length: 121 }, (_, i) =>
    Math.exp(-(((i % 11) - 5) ** 2 + (Math.floor(i / 11) - 5) ** 2) / 4.5),
  );
  const total = gaussian.reduce((sum, v) => sum + v, 0);
  let sum = 0;
  for (let top = 0; top + 11 <= height; top++) {
    for (let left = 0; left + 11 <= width; left++) {
      let [ma, mb, aa, bb, ab] = [0, 0, 0, 0, 0];
      for (const [i, weight] of gaussian.entries()) {
        const at = (top + Math.floor(i / 11)) * width + left + (i % 11);
        const [w, p, q] = [weight / total, a[at]!, b[at]!];
        ma += w * p;
        mb += w * q;
        aa += w * p * p;
        bb += w * q * q;
        ab += w * p * q;
      }
      const contrast = (2 * (ab - ma * mb) + 58.5225) / (aa - ma * ma + bb - mb * mb + 58.5225);
      sum += (Math.max(0, contrast) * (2 * ma * mb + 6.5025)) / (ma * ma + mb * mb + 6.5025);
    }
  }
  return sum / ((width - 10) * (height - 10));
}

test('SSIM is the mean of the cut-off formula over all whole windows', (t) => {
  for (const [width, height] of [
    [11, 11],
    [11, 30],
    [37, 23],
  ] as const) {
    const [a, b] = [texture(width, height, 3, 40), texture(width, height, 4, 40)];
    t.true(Math.abs(ssim(a, b) - slowSsim(a, b)) < 1e-6, `${width}x${height}`);
    t.is(ssim(a, b), ssim(b, a));
  }
});

test('pictures of different sizes, or too small a window, are refused', (t) => {
  const wrong = { instanceOf: ShapeError };
  t.throws(() => psnr(flat(4, 4, 0), flat(4, 5, 0)), wrong);
  t.throws(() => ssim(flat(14, 14, 0), flat(15, 14, 0)), wrong);
  t.throws(() => ssim(flat(10, 40, 0), flat(10, 40, 0)), { ...wrong, message: /11x11.*10x40/ });
});

const realsr = shared('data/realsr');
const published = realsr === undefined ? test.skip : test;

published(
  "(needs ../shared) scores the authors' 100 RealSR pictures as their log does",
  async (t) => {
    const log = readFileSync(`${realsr}/osediff-metrics.log`, 'utf8');
    const lines = [...log.matchAll(/\/(\w+\.png) \| PSNR: ([\d.]+); SSIM: ([\d.]+);/g)];
    t.is(lines.length, 100);
    let [psnrs, ssims] = [0, 0];
    for (const [, file, expectedPsnr, expectedSsim] of lines) {
      const [result, reference] = [
        await readRgb(`${realsr}/osediff/${file}`),
        await readRgb(`${realsr}/hr/${file}`),
      ];
      const [a, b] = [psnr(result, reference), ssim(result, reference)];
      t.true(Math.abs(a - Number(expectedPsnr)) <= 1e-5, `${file}: PSNR ${a}, log ${expectedPsnr}`);
      t.true(Math.abs(b - Number(expectedSsim)) <= 1e-6, `${file}: SSIM ${b}, log ${expectedSsim}`);
      psnrs += a / 100;
      ssims += b / 100;
    }
    t.is(psnrs.toFixed(4), '25.1511');
    t.is(ssims.toFixed(4), '0.7341');
  },
);
