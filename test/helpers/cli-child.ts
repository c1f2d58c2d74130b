/** @file The program with a stand-in for its model, to be run in a process of its own. */
import { appendFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addUpscale, type Load } from '../../src/cli/commands/upscale.ts';
import { runProcess } from '../../src/cli/process.ts';
import type { UpscaleOptions } from '../../src/pipeline/types.ts';
import { WeightError } from '../../src/tensor/errors.ts';
import { nearestLoader } from './nearest-upscaler.ts';

/** How the stand-in behaves, chosen by the environment variable STAND_IN. */
const standIns: Readonly<Record<string, Load>> = {
  plain: nearestLoader(),
  steps: nearestLoader({ step: 25 }),
  slow: nearestLoader({ step: 15_000 }),
  missing: () => {
    throw new WeightError('model "x": expected an installed model, got none. Import it.');
  },
  bug: nearestLoader({
    before: () => {
      throw new TypeError('a fault of ours');
    },
  }),
  busy: async (options) => ({ ...(await nearestLoader()(options)), upscale: computeForever }),
};

/** Native code that no signal stops, as a tile in onnxruntime; progress tells that it runs. */
async function computeForever(_: unknown, options: UpscaleOptions = {}): Promise<never> {
  const code =
    "require('node:worker_threads').parentPort.postMessage(0);" +
    "require('node:crypto').pbkdf2Sync('a', 'b', 1e9, 64, 'sha512');";
  await once(new Worker(code, { eval: true, execArgv: [] }), 'message');
  await sleep(300); // the worker is past its message and deep in native code by then
  options.onProgress?.({ phase: 'tiles', done: 0, total: 1 });
  return new Promise(() => undefined);
}

const load: Load = (options) => {
  const log = process.env['STAND_IN_LOG'];
  if (log) appendFileSync(log, `${JSON.stringify(options)}\n`);
  return standIns[process.env['STAND_IN'] ?? 'plain']!(options);
};
await runProcess({ upscale: async () => (program) => addUpscale(program, load) });
