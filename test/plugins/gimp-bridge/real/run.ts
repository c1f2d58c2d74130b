/** @file The plug-in in real GIMP: `npm run test:gimp`. Prints a line a case, then a count. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadUpscaler } from 'osediff';
import { startService } from '../../../../plugins/gimp-bridge/server.ts';
import type { Load } from '../../../../plugins/gimp-bridge/warm.ts';
import { nearestLoader } from '../../../helpers/nearest-upscaler.ts';
import { chroot, type Suite, suites } from './chroot.ts';
import { prepare, runBatch } from './gimp.ts';

let passed = 0;
let failed = 0;
let skipped = 0;

function report(name: string, problem: string | undefined): void {
  if (problem === undefined) passed++;
  else failed++;
  process.stdout.write(problem === undefined ? `ok   ${name}\n` : `FAIL ${name}: ${problem}\n`);
}

/** The identity that repeats pixels for the model of that name, the real thing for others. */
const identity = nearestLoader();
const load: Load = (options) =>
  options.model === 'identity' ? identity(options) : loadUpscaler(options);

async function cases(root: string, suite: Suite, kind: 'all' | 'compact'): Promise<void> {
  const variables = { CASES: kind, MODEL: 'identity' };
  const { output, seconds } = await runBatch(root, suite, variables);
  for (const [, name, rest] of output.matchAll(/^CASE (.+?)( ok|: .*)$/gm)) {
    report(`GIMP ${suite.gimp}: ${name}`, rest === ' ok' ? undefined : rest!.slice(2));
  }
  if (!output.includes('CASES done')) report(`GIMP ${suite.gimp} ${kind}`, output.slice(-2000));
  process.stdout.write(`GIMP ${suite.gimp}: ${kind} in ${seconds.toFixed(1)} s\n`);
}

/** What GIMP got from the bundled model against what the library gives for the same pixels. */
async function compareCompact(folder: string, suite: Suite): Promise<void> {
  const upscaler = await loadUpscaler();
  const kinds = [
    { name: 'u8', channels: 3, samples: (bytes: ArrayBuffer) => new Uint8Array(bytes) },
    { name: 'u16', channels: 4, samples: (bytes: ArrayBuffer) => new Uint16Array(bytes) },
  ] as const;
  for (const { name, channels, samples } of kinds) {
    const read = async (end: string): Promise<Uint8Array | Uint16Array> =>
      samples(Uint8Array.from(await readFile(join(folder, `${name}.${end}`))).buffer);
    const data = await read('in');
    const { data: wanted } = await upscaler.upscale({ width: 64, height: 48, channels, data });
    const got = await read('out');
    const odd = Array.from(wanted).filter((value, i) => value !== got[i]).length;
    const same = odd === 0 && got.length === wanted.length;
    report(
      `GIMP ${suite.gimp}: compact ${name} is the library's own result`,
      same ? undefined : `${odd} of ${wanted.length} samples differ`,
    );
  }
  await upscaler.dispose();
}

for (const suite of suites) {
  const made = await chroot(suite);
  if ('missing' in made) {
    skipped++;
    process.stdout.write(`skip GIMP ${suite.gimp} (${suite.name}): ${made.missing}\n`);
    continue;
  }
  const folder = await prepare(made.root);
  const service = await startService({ load, file: join(folder, 'engine.json'), device: 'cpu' });
  try {
    await cases(made.root, suite, 'all');
    await cases(made.root, suite, 'compact');
    await compareCompact(folder, suite);
  } finally {
    await service.close();
  }
}
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed > 0 ? 1 : 0;
