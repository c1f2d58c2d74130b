/**
 * @file `npm run parity -- FOLDER [--device D] [--cuda-form]`: every reference vector in a folder laid out like
 * `../shared/golden` through the project's own code, one line an array on stdout:
 *
 *     ok|FAIL|not-covered <file in FOLDER>:<key> <max abs error> <tolerance>
 *
 * `--cuda-form` takes networks as they are on CUDA, with what only CUDA has taken apart.
 *
 * Exits with 0 when all that is covered is ok, with 1 when something fails or nothing is covered.
 */
import { parseArgs } from 'node:util';
import { selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import { neg } from '../../src/graph/functions.ts';
import { Graph } from '../../src/graph/graph.ts';
import { openDevice } from '../../src/pipeline/gpu-folder.ts';
import { createSession } from '../../src/runtime/session.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { openFolder } from './folder.ts';
import { parity } from './parity.ts';
import { printRow } from './row.ts';

/** Fails at once where a device cannot be used, rather than at each of thousands of arrays. */
async function checkDevice(device: string): Promise<void> {
  if (!/^(cpu|webgpu|cuda(:\d+)?)$/.test(device)) {
    throw new UsageError(`device: expected cpu, cuda, cuda:N or webgpu, got "${device}".`);
  }
  openDevice(device);
  const graph = new Graph();
  graph.output('y', neg(graph.input('x', 'float32', [1])));
  const noWeights = (): never => {
    throw new Error('this graph has no weights');
  };
  const model = await selfContained(emit(graph, { file: 'none' }), noWeights);
  const session = await createSession(model, { device });
  await session.run({ x: float32([1], [1]) });
  await session.release();
}

try {
  const { values, positionals } = parseArgs({
    options: {
      device: { type: 'string', default: 'cpu' },
      'cuda-form': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [root, ...more] = positionals;
  if (root === undefined || more.length > 0) {
    throw new UsageError('parity: expected one folder. Run "npm run parity -- FOLDER".');
  }
  await checkDevice(values.device);
  const count = { ok: 0, FAIL: 0, 'not-covered': 0 };
  for await (const row of parity(openFolder(root, values.device, values['cuda-form']))) {
    count[row.status]++;
    console.log(printRow(row));
  }
  console.error(
    `parity: ${count.ok} ok, ${count.FAIL} failed, ${count['not-covered']} not covered`,
  );
  if (count.ok === 0 || count.FAIL > 0) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
