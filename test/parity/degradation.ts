/** @file Parity of the degradation with the random numbers replayed: `degradation/`. */
import { degrade, enlargeInput } from '../../src/degrade/chain.ts';
import { filter2d } from '../../src/degrade/filter.ts';
import { diffJpeg } from '../../src/degrade/jpeg.ts';
import { type Kernel, kernelWeights } from '../../src/degrade/kernels.ts';
import { gaussianNoise, poissonBase, poissonNoise } from '../../src/degrade/noise.ts';
import type { Planes } from '../../src/degrade/planes.ts';
import { resizeBy, resizeTo, type ResizeMode } from '../../src/degrade/resize.ts';
import { sharpen, usmKernel } from '../../src/degrade/usm.ts';
import { tensor, type Tensor, zeros } from '../../src/tensor/tensor.ts';
import {
  type GoldenChain,
  type GoldenKernel,
  kernelOf,
  planOf,
  replayed,
  sampleOf,
} from '../degrade/golden-plan.ts';
import { arraysOf, jsonOf, type Section } from './folder.ts';
import { compare, largest, type Row, row } from './row.ts';

/** `pieces.json`. */
interface Settings {
  readonly kernels: readonly GoldenKernel[];
  readonly resizes: readonly Resize[];
  readonly gauss: { readonly sigma: readonly number[] };
  readonly poisson: { readonly scale: readonly number[] };
  /** `radius` is the kernel's size. */
  readonly usm: {
    readonly radius: number;
    readonly sigma: number;
    readonly weight: number;
    readonly threshold: number;
  };
  readonly jpeg: readonly Jpeg[];
}

interface Resize {
  readonly name: string;
  readonly mode: ResizeMode;
  readonly scale?: number;
  readonly size?: readonly [number, number];
}

interface Jpeg {
  readonly name: string;
  readonly source: string;
  readonly quality: number | readonly number[];
}

/** It all runs on the CPU, in float32 as PyTorch's. */
const tolerance = 1e-4;
/** Kernels are in float64, and their many weights sum to 1. */
const kernelTolerance = 1e-8;

export const pieces: Section = {
  files: /^degradation\/pieces\.safetensors$/,
  inputs: /^(picture|two|large|.*_in|gauss\.(colour|grey)|poisson\.counts_(colour|grey))$/,
  async *rows(folder, file) {
    const arrays = arraysOf(folder, file);
    const settings = jsonOf(folder, file.replace('.safetensors', '.json')) as Settings;
    for (const [key, want] of arrays) {
      const got = makePiece(key, want, arrays, settings);
      const most = key.includes('kernel') ? kernelTolerance : tolerance;
      if (got) yield await Promise.resolve(compare(file, key, want, [got], most));
    }
  },
};

type Arrays = ReadonlyMap<string, Tensor>;

/** What `key` is by our code; undefined where it is made of nothing that the settings tell. */
function makePiece(
  key: string,
  want: Tensor,
  arrays: Arrays,
  settings: Settings,
): Tensor | undefined {
  const source = (name: string): Tensor => arrays.get(name)!;
  const kernels = settings.kernels.map(kernelOf);
  const [, kind, rest] = /^(\w+)\.(\w+)$/.exec(key) ?? [];
  const kernel = kernels[Number(rest)];
  if (kind === 'kernel' && kernel) return padded(kernel, want.shape);
  if (kind === 'filter2d') {
    if (kernel) return each(source('picture'), (x) => filter2d(x, kernelWeights(kernel)));
    // Which kernel each sample had is not written down.
    return each(source('two'), (x, n) => nearest(x, kernels, sampleOf(want, n)));
  }
  const usm = { ...settings.usm, size: settings.usm.radius | 1 }; // made odd, as in the original
  if (key === 'usm.out') return each(source('large'), (x) => sharpen(x, usm));
  if (key === 'usm.kernel') return { ...usmKernel(usm), shape: want.shape };
  if (kind === 'gauss' || kind === 'poisson') return noisy(kind, rest!, source, settings);
  const resize = settings.resizes.find(({ name }) => name === key);
  if (resize) {
    const { mode, scale, size } = resize;
    return each(source('picture'), (x) =>
      size ? resizeTo(x, mode, ...size) : resizeBy(x, mode, scale!),
    );
  }
  const jpeg = settings.jpeg.find(({ name }) => name === key);
  if (!jpeg) return undefined;
  return each(source(jpeg.source), (x, n) => diffJpeg(x, [jpeg.quality].flat()[n] as number));
}

function noisy(
  kind: 'gauss' | 'poisson',
  name: string,
  source: (name: string) => Tensor,
  { gauss, poisson }: Settings,
): Tensor | undefined {
  const [, array, tint] = /^(out|levels|rate)_(colour|grey)$/.exec(name) ?? [];
  if (!array) return undefined;
  const two = source('two');
  if (kind === 'gauss') {
    const normal = source(`gauss.${tint}`);
    return each(two, (x, n) => gaussianNoise(x, gauss.sigma[n]!, sampleFor(normal, n)));
  }
  const counts = source(`poisson.counts_${tint}`);
  return each(two, (x, n) => {
    const base = poissonBase(x, tint === 'grey');
    if (array === 'levels') return tensor('float32', [1, 1, 1], Float32Array.of(base.levels));
    if (array === 'out') return poissonNoise(x, poisson.scale[n]!, base, sampleFor(counts, n));
    const { shape } = sampleOf(counts, n);
    const rates = Float32Array.from(base.bytes, (v) => Math.fround(v / 255) * base.levels);
    return tensor('float32', shape, rates);
  });
}

/** Numbers of sample `n`; one set may do for all. */
function sampleFor(numbers: Tensor, n: number): Float32Array {
  return sampleOf(numbers, numbers.shape[0] === 1 ? 0 : n).data;
}

/** A kernel's weights in the middle of a square of zeros. */
function padded(kernel: Kernel, shape: readonly number[]): Tensor | undefined {
  const { shape: own, data } = kernelWeights(kernel);
  const [size, full] = [own[0]!, shape[0]!];
  if (size > full) return undefined;
  const out = zeros('float64', [full, full]);
  const edge = (full - size) / 2;
  for (let y = 0; y < size; y++) {
    out.data.set(data.subarray(y * size, (y + 1) * size), (y + edge) * full + edge);
  }
  return out;
}

/** The filtered sample that lies nearest to `want`. */
function nearest(x: Planes, kernels: readonly Kernel[], want: Planes): Planes {
  const results = kernels.map((kernel) => filter2d(x, kernelWeights(kernel)));
  const off = (y: Planes): number =>
    largest({ ...y, data: y.data.map((value, i) => value - want.data[i]!) });
  return results.reduce((best, y) => (off(y) < off(best) ? y : best));
}

/** `make` of every sample of a batch, as a batch. */
function each(batch: Tensor, make: (x: Planes, n: number) => Tensor<'float32'>): Tensor {
  const samples = Array.from({ length: batch.shape[0]! }, (_, n) => make(sampleOf(batch, n), n));
  const { shape } = samples[0]!;
  const data = Float32Array.from(samples.flatMap((sample) => [...sample.data]));
  return tensor('float32', [samples.length, ...shape], data);
}

export const chains: Section = {
  files: /^degradation\/chains\.safetensors$/,
  inputs: /^\d+\.(gt|\d+\.(normal|counts)\.\d+)$/,
  async *rows(folder, file) {
    const arrays = arraysOf(folder, file);
    const runs = jsonOf(folder, file.replace('.safetensors', '.json')) as readonly GoldenChain[];
    for (const [run, chain] of runs.entries()) yield* chainRows(file, arrays, run, chain);
  },
};

/** Each step from the recorded one before, as a rounding to bytes here and there would decide what follows. */
async function* chainRows(
  file: string,
  arrays: Arrays,
  run: number,
  chain: GoldenChain,
): AsyncGenerator<Row> {
  const plan = planOf(chain);
  const truth = sampleOf(arrays.get(`${run}.gt`)!);
  const rows: Row[] = [];
  const onStep = (step: string, x: Planes): Planes | undefined => {
    const key = `${run}.after.${rows.length}`;
    const want = arrays.get(key);
    const fits = want !== undefined && chain.steps[rows.length] === step;
    rows.push(
      fits
        ? compare(file, key, sampleOf(want), [x], tolerance)
        : row(file, key, Number.POSITIVE_INFINITY, tolerance),
    );
    return want && sampleOf(want);
  };
  const low = await degrade(truth, plan, { noise: replayed(arrays, run), onStep });
  enlargeInput(low, plan, truth.shape[1]!, truth.shape[2]!, onStep);
  yield* rows;
}
