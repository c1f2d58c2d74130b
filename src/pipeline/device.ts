/** @file Where networks run. */
import { UsageError } from '../tensor/errors.ts';

/**
 * The execution provider of a wish: `cpu`, `webgpu`, `cuda` or `cuda:N`.
 *
 * @throws UsageError for anything else
 */
export function chooseDevice(device: string): string {
  if (device === 'auto') return 'cpu';
  if (/^(cpu|webgpu|cuda(:\d+)?)$/.test(device)) return device;
  throw new UsageError(`device: expected auto, cpu, cuda, cuda:N or webgpu, got "${device}".`);
}
