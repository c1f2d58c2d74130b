/** @file Colour matching's arithmetic in plain typed arrays, or in gpu.js kernels of the same formulas. */
import type { IKernelFunctionThis, IKernelRunShortcut } from 'gpu.js';
import { lowFrequencies, WAVELET_DILATIONS } from './wavelet.ts';

/** Where the arithmetic runs. Both give the same values but for the last bits. */
export interface ColorKernels {
  readonly kind: 'cpu' | 'gpu';
  /** Every value of a plane times `gain`, plus `offset`, in place. */
  affine(plane: Float32Array, gain: number, offset: number): Promise<void>;
  /** What is left of a plane after the blurs of the wavelet split. */
  low(plane: Float32Array, width: number, height: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Plain loops. */
export const cpuKernels: ColorKernels = {
  kind: 'cpu',
  async affine(plane, gain, offset) {
    for (let i = 0; i < plane.length; i++) plane[i] = plane[i]! * gain + offset;
  },
  low: async (plane, width, height) => lowFrequencies(plane, width, height),
  release: async () => undefined,
};

/** How gpu.js reaches a GPU; `cpu` is its own emulation, for tests. */
export type GpuMode = 'headlessgl' | 'webgpu' | 'cpu';

/** How gpu.js can reach a GPU here; undefined when it cannot. */
export async function gpuMode(): Promise<GpuMode | undefined> {
  const { GPU } = await import('gpu.js');
  if (GPU.isHeadlessGLSupported) return 'headlessgl';
  if (GPU.isWebGPUSupported && (await GPU.isWebGPUAvailable())) return 'webgpu';
  return undefined;
}

/** Kernels on a GPU. gpu.js translates the functions below, so they are written in its subset. */
export async function openGpuKernels(mode: GpuMode): Promise<ColorKernels> {
  const { GPU } = await import('gpu.js');
  const gpu = new GPU({ mode: mode as 'gpu' });
  const settings = { dynamicOutput: true, dynamicArguments: true } as const;
  const affine = gpu.createKernel(affineAt, settings);
  const blur = gpu.createKernel(blurAt, settings);
  const run = async (kernel: IKernelRunShortcut, length: number, ...values: unknown[]) => {
    kernel.setOutput([length]);
    // WebGPU answers later, the others at once.
    return (await (kernel as (...values: unknown[]) => unknown)(...values)) as Float32Array;
  };
  return {
    kind: 'gpu',
    async affine(plane, gain, offset) {
      plane.set(await run(affine, plane.length, plane, gain, offset));
    },
    async low(plane, width, height) {
      let values = plane;
      for (const step of WAVELET_DILATIONS) {
        values = await run(blur, plane.length, values, width, height, step);
      }
      return Float32Array.from(values);
    },
    release: async () => gpu.destroy(),
  };
}

function affineAt(this: IKernelFunctionThis, x: number[], gain: number, offset: number): number {
  return x[this.thread.x]! * gain + offset;
}

/** One blur: [1, 2, 1; 2, 4, 2; 1, 2, 1] / 16 with `step` between the taps, borders repeated. */
function blurAt(
  this: IKernelFunctionThis,
  x: number[],
  width: number,
  height: number,
  step: number,
): number {
  const row = Math.floor((this.thread.x + 0.5) / width);
  const column = this.thread.x - row * width;
  const left = Math.max(column - step, 0);
  const right = Math.min(column + step, width - 1);
  const above = Math.max(row - step, 0) * width;
  const middle = row * width;
  const below = Math.min(row + step, height - 1) * width;
  const a = x[above + left]! + 2 * x[middle + left]! + x[below + left]!;
  const b = x[above + column]! + 2 * x[middle + column]! + x[below + column]!;
  const c = x[above + right]! + 2 * x[middle + right]! + x[below + right]!;
  return (a + 2 * b + c) / 16;
}
