/** @file PSNR, SSIM and NIQE against the vectors of `metrics/`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPicture } from '../../src/image/codec.ts';
import { halve } from '../../src/measures/halve.ts';
import { yiqLuma } from '../../src/measures/luma.ts';
import { niqe } from '../../src/measures/niqe.ts';
import { blockSize, niqeBlocks } from '../../src/measures/niqe-features.ts';
import { publishedPrior, readPrior } from '../../src/measures/niqe-prior.ts';
import { normalize } from '../../src/measures/normalize.ts';
import { psnr } from '../../src/measures/psnr.ts';
import { type Rgb, toRgb } from '../../src/measures/rgb.ts';
import { ssim } from '../../src/measures/ssim.ts';
import { readGolden } from '../helpers/golden.ts';
import { jsonAt, numbersRow, type Summary, summaryRow } from './metric-rows.ts';
import { type Row } from './row.ts';

interface Classic {
  readonly result: string;
  readonly reference: string;
  readonly psnr_y: number;
  readonly ssim_y: number;
  readonly niqe: number;
  readonly niqe_steps: Readonly<Record<string, Summary | number>>;
}

/** As the folder's README asks: dB, SSIM, and NIQE by the same rule for luma. */
const tolerances = { psnr: 1e-5, ssim: 1e-6, niqe: 1e-3, features: 1e-5 };

export async function* classicRows(folder: string): AsyncGenerator<Row> {
  yield* priorRows(folder);
  const { pictures } = jsonAt(folder, 'classic.json') as {
    pictures: Readonly<Record<string, Classic>>;
  };
  const arrays = readGolden(join(folder, 'metrics', 'classic.safetensors'));
  const file = 'metrics/classic.json';
  const prior = publishedPrior();
  for (const [name, want] of Object.entries(pictures)) {
    const [result, reference] = [want.result, want.reference].map((path) => find(folder, path));
    if (!result || !reference) continue; // pictures of a data set that lies beside the folder
    const [a, b] = [await readRgb(result), await readRgb(reference)];
    const key = `pictures.${name}`;
    yield numbersRow(file, `${key}.psnr_y`, want.psnr_y, psnr(a, b), tolerances.psnr);
    yield numbersRow(file, `${key}.ssim_y`, want.ssim_y, ssim(a, b), tolerances.ssim);
    yield numbersRow(file, `${key}.niqe`, want.niqe, niqe(a, prior), tolerances.niqe);
    yield* stepRows(file, `${key}.niqe_steps`, want.niqe_steps, a);
    const features = arrays.get(`${name}.niqe_features`);
    const blocks = niqeBlocks({ ...a, data: yiqLuma(a) }).flatMap((block) => [...block.features]);
    if (features)
      yield numbersRow(
        'metrics/classic.safetensors',
        `${name}.niqe_features`,
        features.data as Float64Array,
        blocks,
        tolerances.features,
      );
  }
}

function* priorRows(folder: string): Generator<Row> {
  const path = join(folder, 'metrics', 'niqe_pris_params.npz');
  if (!existsSync(path)) return;
  const [want, got] = [readPrior(path), publishedPrior()];
  for (const key of ['mean', 'covariance'] as const) {
    yield numbersRow('metrics/niqe_pris_params.npz', key, want[key], got[key], 0);
  }
}

/** In the folder, or in the data that lie beside it. */
function find(folder: string, path: string): string | undefined {
  return [join(folder, 'metrics', path), join(folder, '..', 'data', path)].find(existsSync);
}

async function readRgb(path: string): Promise<Rgb> {
  return toRgb(await readPicture(path));
}

function* stepRows(
  file: string,
  key: string,
  steps: Classic['niqe_steps'],
  picture: Rgb,
): Generator<Row> {
  const { width, height } = picture;
  const luma = yiqLuma(picture);
  const [columns, rows] = [width, height].map((n) => Math.floor(n / blockSize) * blockSize) as [
    number,
    number,
  ];
  const cropped = new Float64Array(columns * rows);
  for (let y = 0; y < rows; y++)
    cropped.set(luma.subarray(y * width, y * width + columns), y * columns);
  const whole = { width: columns, height: rows, data: cropped };
  const got: Readonly<Record<string, Float64Array>> = {
    yiq_luma_rounded: luma,
    normalized_scale1: normalize(whole).normalized.data,
    normalized_scale2: normalize(halve(whole)).normalized.data,
  };
  for (const [name, want] of Object.entries(steps)) {
    if (typeof want === 'number' || !got[name]) continue;
    const data = Float32Array.from(got[name]);
    yield summaryRow(file, `${key}.${name}`, want, { dtype: 'float32', shape: want.shape, data });
  }
}
