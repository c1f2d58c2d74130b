/** @file What bench/cuda.ts and bench/webgpu.ts share: parity, then the models part by part, as a table. */
import { execFileSync, execSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

interface Figures {
  readonly device: string;
  readonly forwardSeconds: number;
  readonly fileSeconds: number;
  readonly parts: readonly { readonly name: string; readonly seconds: number }[];
}

/** How far float16 may be from float32: the UNet's eps, in units of its largest value (test/networks/half). */
const halfTolerance = 8 * 2 ** -11;

/**
 * Runs everything and prints Markdown; exits with 1 when parity fails.
 *
 * @param device `cuda` or `webgpu`
 * @param env what parity runs with: float32 without short cuts
 */
export function benchDevice(device: 'cuda' | 'webgpu', env: NodeJS.ProcessEnv = {}): void {
  const { values } = parseArgs({
    options: {
      golden: { type: 'string', default: '../shared/golden' },
      model: { type: 'string', default: 'sd21' },
      runs: { type: 'string', default: '10' },
    },
  });
  console.log(
    `# ${device}\n\nfloat32 within 1e-3; float16's eps within ${halfTolerance} of its largest\n`,
  );
  let failed = 0;
  if (existsSync(values.golden)) failed += parity(values.golden, device, env);
  else console.log(`parity: skipped, there is no ${values.golden}`);
  console.log(
    '\n| model | size | precision | encoder | text | unet | decoder | forward | file to file |',
  );
  console.log('| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const [model, size] of [
    ['compact', 512],
    ['compact', 1024],
    [values.model, 512],
    [values.model, 768],
  ] as const) {
    for (const precision of ['fp32', 'fp16'] as const) {
      row(model, size, precision, device, values.runs);
    }
  }
  peer();
  process.exitCode = failed > 0 ? 1 : 0;
}

function parity(golden: string, device: string, env: NodeJS.ProcessEnv): number {
  const flags = ['--conditions=osediff-source', '--import=tsx', 'test/parity/run.ts'];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...flags, golden, '--device', device],
    { encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 28 },
  );
  for (const line of stdout.split('\n')) if (line.startsWith('FAIL')) console.log(line);
  console.log(stderr.trim().split('\n').at(-1));
  return status === 0 ? 0 : 1;
}

function row(model: string, size: number, precision: string, device: string, runs: string): void {
  const cli = createRequire(import.meta.url).resolve('../dist/src/cli/main.js');
  const flags = { model, size, precision, device, runs };
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  try {
    const text = execFileSync(process.execPath, [cli, 'benchmark', ...args, '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { parts, forwardSeconds, fileSeconds } = JSON.parse(text) as Figures;
    const part = (name: string): string => ms(parts.find((p) => p.name === name)?.seconds);
    const times = ['encoder', 'text', 'unet', 'decoder'].map(part);
    const cells = [model, size, precision, ...times, ms(forwardSeconds), ms(fileSeconds)];
    console.log(`| ${cells.join(' | ')} |`);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    console.log(
      `| ${model} | ${size} | ${precision} | ${(stderr ?? String(error)).trim().split('\n').at(-1)} |`,
    );
  }
}

function ms(seconds: number | undefined): string {
  return seconds === undefined ? '' : `${(seconds * 1000).toFixed(1)} ms`;
}

/** The official classes in PyTorch float16 beside it: a peer as bench/sd.ts has them. */
function peer(): void {
  const command = process.env['OSEDIFF_BENCH_TORCH'];
  if (command === undefined) {
    console.log('\nno peer: OSEDIFF_BENCH_TORCH is not set (bench/README.md)');
    return;
  }
  console.log(`\npeer: ${execSync(command, { encoding: 'utf8' }).trim().split('\n').at(-1)}`);
}
