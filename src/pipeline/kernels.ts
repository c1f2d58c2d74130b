/** @file Chooses where colour is matched: a probe at first use decides, and is remembered. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ColorKernels, cpuKernels, gpuMode, openGpuKernels } from '../image/color-kernels.ts';
import { DeviceError } from '../tensor/errors.ts';
import { dataFolder } from '../weights/data-folder.ts';

/** `auto` takes what the probe found faster. */
export type KernelChoice = 'auto' | 'gpu' | 'cpu';

/** What the probe found. Times in milliseconds, for one plane of 1024x1024. */
export interface KernelProbe {
  readonly kind: 'cpu' | 'gpu';
  readonly cpu?: number;
  readonly gpu?: number;
  /** Why there is nothing to compare. */
  readonly reason?: string;
}

/** Where the probe is remembered. */
function probeFile(): string {
  return join(dataFolder(), 'kernels.json');
}

/**
 * The kernels of a choice.
 *
 * @throws DeviceError when a GPU is asked for that gpu.js cannot reach
 */
export async function openKernels(choice: KernelChoice): Promise<ColorKernels> {
  if (choice === 'cpu') return cpuKernels;
  if (choice === 'auto' && (await probeKernels()).kind === 'cpu') return cpuKernels;
  const mode = await gpuMode();
  if (mode) return openGpuKernels(mode);
  if (choice === 'auto') return cpuKernels; // the GPU of the probe is gone
  throw new DeviceError(
    'kernels: expected a GPU that gpu.js reaches, got none. Install the package "gl" with its libraries, or take --kernels auto.',
  );
}

/** What an earlier probe found, or a new one. */
export async function probeKernels(file: string = probeFile()): Promise<KernelProbe> {
  try {
    const known = JSON.parse(await readFile(file, 'utf8')) as KernelProbe;
    if (known.kind === 'cpu' || known.kind === 'gpu') return known;
  } catch {
    // none yet
  }
  const probe = await compare();
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(probe));
    await rename(`${file}.${process.pid}`, file);
  } catch {
    // The next start probes again.
  }
  return probe;
}

async function compare(): Promise<KernelProbe> {
  const mode = await gpuMode().catch(() => undefined);
  if (!mode) return { kind: 'cpu', reason: 'gpu.js reaches no GPU' };
  const cpu = await time(cpuKernels);
  let gpu: number;
  try {
    const kernels = await openGpuKernels(mode);
    gpu = await time(kernels);
    await kernels.release();
  } catch (error) {
    return {
      kind: 'cpu',
      cpu,
      reason: `gpu.js failed: ${(error as Error).message.split('\n')[0]}`,
    };
  }
  return { kind: gpu < cpu ? 'gpu' : 'cpu', cpu, gpu };
}

/** The better of two runs: the first compiles. */
async function time(kernels: ColorKernels): Promise<number> {
  const edge = 1024;
  const plane = Float32Array.from({ length: edge * edge }, (_, i) => (i % 251) / 251);
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    await kernels.low(plane, edge, edge);
    await kernels.affine(plane, 1, 0);
    times.push(performance.now() - start);
  }
  return Math.round(Math.min(...times) * 10) / 10;
}
