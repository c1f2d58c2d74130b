/** @file The NVIDIA cards of this machine, and whether the CUDA provider has code for them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Card {
  readonly name: string;
  /** Such as `9.0`. */
  readonly capability: string;
}

/** The cards by nvidia-smi; undefined where that is not installed or finds no driver. */
export async function listCards(): Promise<readonly Card[] | undefined> {
  const query = ['--query-gpu=name,compute_cap', '--format=csv,noheader'];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 20_000 });
    return parseCards(stdout);
  } catch {
    return undefined;
  }
}

/** Reads nvidia-smi's lines `NVIDIA H100 80GB HBM3, 9.0`. */
export function parseCards(text: string): readonly Card[] {
  return [...text.matchAll(/^(.+), *(\d+\.\d+)\s*$/gm)].map(([, name, capability]) => ({
    name: name!,
    capability: capability!,
  }));
}

/**
 * Whether onnxruntime 1.30's provider has code for a compute capability: it was built for sm_75, 80, 86,
 * 89, 90a and 120a, without PTX that later cards could translate.
 */
export function hasCode(capability: string): boolean {
  const [major] = capability.split('.').map(Number);
  return major === 8 || ['7.5', '9.0', '12.0'].includes(capability);
}
