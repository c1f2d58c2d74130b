/** @file Whether WebGPU can be had here, if only in software: `OSEDIFF_TEST_WEBGPU=1` says so. */
import test, { type ExecutionContext } from 'ava';

const wanted = process.env['OSEDIFF_TEST_WEBGPU'] === '1';

/** A test that needs WebGPU; skipped, and named so, where the environment promises none. */
export function webgpuTest(title: string, run: (t: ExecutionContext) => Promise<void>): void {
  if (wanted) test(title, run);
  else test.skip(`${title} (needs WebGPU: set OSEDIFF_TEST_WEBGPU=1, see docs/devices.md)`, run);
}
