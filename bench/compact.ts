/** @file Speed of the bundled model beside other small upscalers, and its cold start (bench/README.md). */
import { execFileSync, execSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FormatError, UsageError, loadUpscaler, readPicture, writePicture } from 'osediff';

/** What one side prints, as one line of JSON, when it is done. */
interface Report {
  readonly name: string;
  /** Output megapixels per second, warm, decoding aside: the median of its runs. */
  readonly megapixelsPerSecond: number;
  /** Most memory resident at once in its process. */
  readonly peakBytes?: number;
}

/** The environment variables that hold the peers' commands; those that are not set are left out. */
const peers = ['OSEDIFF_BENCH_NCNN', 'OSEDIFF_BENCH_TFJS_NODE', 'OSEDIFF_BENCH_TFJS_WASM'];

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'compact' },
    device: { type: 'string', default: 'cpu' },
    precision: { type: 'string', default: 'fp32' },
    input: { type: 'string' },
    size: { type: 'string', default: '128' },
    runs: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    ours: { type: 'boolean', default: false }, // the parent's word to a child: measure our side
  },
});

const size = positive('--size', options.size);
const runs = positive('--runs', options.runs);
const rounds = positive('--rounds', options.rounds);
if (options.ours) console.log(JSON.stringify(await measure()));
else await compare();

/** Our side, in this process: the first run warms up and does not count. */
async function measure(): Promise<Report> {
  const { model, device, input = '' } = options;
  const precision = options.precision === 'fp16' ? 'fp16' : 'fp32';
  const picture = await readPicture(input);
  const upscaler = await loadUpscaler({ model, device, precision });
  const rates: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    const { width, height } = await upscaler.upscale(picture);
    if (run > 0) rates.push((width * height) / 1000 / (performance.now() - start));
  }
  await upscaler.dispose();
  return {
    name: `osediff ${model} ${precision} on ${upscaler.model.device}`,
    megapixelsPerSecond: median(rates),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** All sides in turn, `rounds` times, each in a process of its own; then a table with ratios. */
async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-bench-'));
  try {
    const input = options.input ?? (await drawInput(folder));
    const commands = peers.flatMap((peer) => {
      const command = process.env[peer];
      return command === undefined ? [] : [{ peer, command }];
    });
    const sides = [
      { reports: [] as Report[], run: () => runOurs(input) },
      ...commands.map(({ peer, command }) => ({
        reports: [] as Report[],
        run: () => runPeer(peer, command, input),
      })),
    ];
    const starts: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const { reports, run } of sides) {
        const report = run();
        reports.push(report);
        console.error(`round ${round + 1}: ${describe(report)}`);
      }
      const start = coldStart(input, join(folder, 'cold.png'));
      if (start !== undefined) starts.push(start);
    }
    const [ours, ...others] = sides.map(({ reports }) => summarize(reports));
    console.log(describe(ours!));
    for (const other of others) {
      const ratio = ours!.megapixelsPerSecond / other.megapixelsPerSecond;
      console.log(`${describe(other)}; osediff is ${ratio.toFixed(2)} times as fast`);
    }
    if (others.length === 0) console.log(`no ratios: none of ${peers.join(', ')} is set`);
    const cold = starts.length > 0 ? `${median(starts).toFixed(2)} s` : 'run "npm run build" first';
    console.log(`cold start, process start to finished file: ${cold}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runOurs(input: string): Report {
  const { model, device, precision } = options;
  const flags = { model, device, precision, input, runs };
  const stdout = execFileSync(
    process.execPath,
    [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      '--ours',
      ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return parseReport('osediff', stdout);
}

function runPeer(peer: string, command: string, input: string): Report {
  const env = {
    ...process.env,
    OSEDIFF_BENCH_INPUT: input,
    OSEDIFF_BENCH_SIZE: String(size),
    OSEDIFF_BENCH_RUNS: String(runs),
  };
  const stdout = execSync(command, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
  return parseReport(peer, stdout);
}

/** Seconds that the built command line takes for one picture, or undefined where it is not built. */
function coldStart(input: string, output: string): number | undefined {
  const cli = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
  if (!existsSync(cli)) return undefined;
  const { model, device } = options;
  const flags = ['-o', output, '--overwrite', '--model', model, '--device', device];
  const start = performance.now();
  execFileSync(process.execPath, [cli, 'upscale', input, ...flags], { stdio: 'ignore' });
  return (performance.now() - start) / 1000;
}

function parseReport(where: string, stdout: string): Report {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  const report = line.startsWith('{') ? (JSON.parse(line) as Partial<Report>) : {};
  const { name, megapixelsPerSecond, peakBytes } = report;
  if (name && megapixelsPerSecond !== undefined && megapixelsPerSecond > 0) {
    return { name, megapixelsPerSecond, ...(peakBytes !== undefined && { peakBytes }) };
  }
  throw new FormatError(
    `${where}: expected a last line of JSON with name and megapixelsPerSecond, ` +
      `got "${line.slice(0, 80)}". See bench/README.md.`,
  );
}

function summarize(reports: readonly Report[]): Report {
  const peaks = reports.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]));
  return {
    name: reports[0]!.name,
    megapixelsPerSecond: median(reports.map((report) => report.megapixelsPerSecond)),
    ...(peaks.length > 0 && { peakBytes: Math.max(...peaks) }),
  };
}

function describe({ name, megapixelsPerSecond, peakBytes }: Report): string {
  const memory = peakBytes === undefined ? '' : `, peak ${(peakBytes / 1e6).toFixed(0)} MB`;
  return `${name}: ${megapixelsPerSecond.toFixed(3)} megapixels/s${memory}`;
}

/** A picture of soft waves: what is on it does not change the time. */
async function drawInput(folder: string): Promise<string> {
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
    return 128 + 100 * Math.sin(x / 7 + (i % 3)) * Math.cos((x + 2 * y) / 11);
  });
  const path = join(folder, 'input.png');
  await writePicture({ width: size, height: size, channels: 3, data }, path);
  return path;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new UsageError(`${flag}: expected a positive integer, got "${text}".`);
}
