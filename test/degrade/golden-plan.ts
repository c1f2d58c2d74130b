/** @file Turns the draws that `degradation/chains.json` lists into the plans and noise of `src/degrade`. */
import type { NoiseSource } from '../../src/degrade/chain.ts';
import type { BlurKind, Kernel } from '../../src/degrade/kernels.ts';
import type { NoisePlan, Plan, StagePlan } from '../../src/degrade/plan.ts';
import type { Planes } from '../../src/degrade/planes.ts';
import type { ResizeMode } from '../../src/degrade/resize.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';

/** One run of `chains.json`: its draws in order, and the names of its steps. */
export interface GoldenChain {
  readonly draws: readonly Readonly<Record<string, unknown>>[];
  readonly steps: readonly string[];
}

/** Parameters of a kernel as the golden files name them. */
export interface GoldenKernel {
  readonly kind: string;
  readonly size: number;
  readonly sigma_x?: number;
  readonly sigma_y?: number;
  readonly theta?: number;
  readonly beta?: number;
  readonly omega_c?: number;
}

/** The kernel of `src/degrade` with these parameters. */
export function kernelOf(golden: GoldenKernel): Kernel {
  const { kind, size, sigma_x = 0, sigma_y = sigma_x, theta = 0, beta = 1, omega_c = 0 } = golden;
  if (kind === 'sinc') return { kind, size, omega: omega_c };
  return { kind: kind as BlurKind, size, sigmaX: sigma_x, sigmaY: sigma_y, theta, beta };
}

/** The plan whose choices these draws are. */
export function planOf({ draws }: GoldenChain): Plan {
  const all = Object.assign({}, ...draws) as Record<string, unknown>;
  const number = (name: string) => all[name] as number;
  const kernel = (prefix: string) =>
    kernelOf(
      Object.fromEntries(
        ['kind', 'size', 'sigma_x', 'sigma_y', 'theta', 'beta', 'omega_c'].flatMap((name) => {
          const value = all[`${prefix}.${name === 'kind' ? 'kernel' : name}`];
          return value === undefined ? [] : [[name, value]];
        }),
      ) as unknown as GoldenKernel,
    );
  const noise = (stage: number): NoisePlan =>
    all[`${stage}.noise`] === 'gaussian'
      ? {
          kind: 'gaussian',
          grey: all[`${stage}.grey`] as boolean,
          sigma: number(`${stage}.noise_sigma`),
        }
      : {
          kind: 'poisson',
          grey: all[`${stage}.grey`] as boolean,
          scale: number(`${stage}.poisson_scale`),
        };
  const stage = (n: number): StagePlan => ({
    blur: all[`${n}.blur`] === false ? null : kernel(`${n}`),
    resize: {
      scale: (all[`${n}.resize_scale`] as number | undefined) ?? 1,
      mode: all[`${n}.mode`] as ResizeMode,
    },
    noise: noise(n),
    quality: number(`${n}.quality`),
  });
  return {
    scale: 4,
    first: stage(1),
    second: stage(2),
    final: {
      order: all['final.order'] as 'sinc_first' | 'jpeg_first',
      mode: all['final.mode'] as ResizeMode,
      sinc: all['final.sinc']
        ? { kind: 'sinc', size: number('final.size'), omega: number('final.omega_c') }
        : null,
    },
    back: { mode: all['back.mode'] as ResizeMode },
    noiseStream: [0],
  };
}

/** Noise replayed from a run's arrays, whose keys begin with `<run>.<stage>.`. */
export function replayed(arrays: ReadonlyMap<string, Tensor>, run: number): NoiseSource {
  const array = (stage: number, kind: string): Float32Array => {
    const key = [...arrays.keys()].find((name) => name.startsWith(`${run}.${stage}.${kind}.`));
    return arrays.get(key ?? '')!.data as Float32Array;
  };
  return {
    normal: (stage) => array(stage, 'normal'),
    counts: (stage) => array(stage, 'counts'),
  };
}

/** Sample `n` of a golden batch `[N, C, H, W]`, as planes `[C, H, W]`. */
export function sampleOf(batch: Tensor, n = 0): Planes {
  const shape = batch.shape.slice(1);
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor('float32', shape, (batch.data as Float32Array).subarray(n * size, (n + 1) * size));
}
