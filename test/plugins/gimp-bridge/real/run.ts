/**
 * @file The plug-in in real GIMP: `npm run test:gimp`, and with `-- --overhead` what the transport
 * costs. Prints a line a case, then a count.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadUpscaler } from 'osediff';
import { type Service, startService } from '../../../../plugins/gimp-bridge/server.ts';
import type { Load } from '../../../../plugins/gimp-bridge/warm.ts';
import { nearestLoader } from '../../../helpers/nearest-upscaler.ts';
import { chroot, type Suite, suites } from './chroot.ts';
import { inside, prepare, runBatch } from './gimp.ts';

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
let modelSeconds = 0;
const load: Load = async (options) => {
  const upscaler = await (options.model === 'identity' ? identity(options) : loadUpscaler(options));
  const timed: typeof upscaler.upscale = async (input, options) => {
    const start = performance.now();
    try {
      return await upscaler.upscale(input, options);
    } finally {
      modelSeconds = (performance.now() - start) / 1000;
    }
  };
  return { ...upscaler, upscale: timed };
};

/** Cases of cases.py that run by themselves. */
type Kind = 'all' | 'compact' | 'overhead' | 'no engine' | 'starts engine';

async function cases(root: string, suite: Suite, kind: Kind): Promise<string> {
  const variables = { CASES: kind, MODEL: 'identity' };
  const { output, seconds } = await runBatch(root, suite, variables);
  for (const [, name, rest] of output.matchAll(/^CASE (.+?)( ok|: .*)$/gm)) {
    report(`GIMP ${suite.gimp}: ${name}`, rest === ' ok' ? undefined : rest!.slice(2));
  }
  if (!output.includes('CASES done')) report(`GIMP ${suite.gimp} ${kind}`, output.slice(-2000));
  process.stdout.write(`GIMP ${suite.gimp}: ${kind} in ${seconds.toFixed(1)} s\n`);
  return output;
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

/** Programs stand in for "osediff serve", which is not there in the chroot. */
async function starting(root: string, suite: Suite): Promise<void> {
  await prepare(root, ['sh', '-c', 'echo no port is free >&2; exit 1']);
  await cases(root, suite, 'no engine');
  const folder = await prepare(root, ['touch', `${inside}/started`]);
  const outcome = cases(root, suite, 'starts engine');
  const started = (async () => {
    while (!existsSync(join(folder, 'started'))) await sleep(50);
  })();
  await Promise.race([started, outcome]);
  const service = await serve(folder);
  await outcome;
  await service.close();
}

/** The share of the time that is not the model's, for a layer of 2000x1500 u16 RGBA. */
async function overhead(root: string, suite: Suite): Promise<void> {
  const output = await cases(root, suite, 'overhead');
  const total = Number(/^SECONDS (.*)$/m.exec(output)?.[1]);
  const share = (total - modelSeconds) / total;
  process.stdout.write(
    `GIMP ${suite.gimp}: 2000x1500 u16 RGBA x4 in ${total.toFixed(1)} s, the model ${modelSeconds.toFixed(1)} s of it\n`,
  );
  report(
    `GIMP ${suite.gimp}: transport takes ${(share * 100).toFixed(1)} % of the run`,
    share < 0.1 ? undefined : 'expected less than 10 %',
  );
}

function serve(folder: string): Promise<Service> {
  return startService({ load, file: join(folder, 'engine.json'), device: 'cpu' });
}

const { values: flags } = parseArgs({ options: { overhead: { type: 'boolean' } } });
for (const suite of suites) {
  const made = await chroot(suite);
  if ('missing' in made) {
    skipped++;
    process.stdout.write(`skip GIMP ${suite.gimp} (${suite.name}): ${made.missing}\n`);
    continue;
  }
  const { root } = made;
  if (!flags.overhead) await starting(root, suite);
  const folder = await prepare(root);
  const service = await serve(folder);
  try {
    if (flags.overhead) await overhead(root, suite);
    else {
      await cases(root, suite, 'all');
      await cases(root, suite, 'compact');
      await compareCompact(folder, suite);
    }
  } finally {
    await service.close();
  }
}
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed > 0 ? 1 : 0;
