/** @file Time and memory of a full-size OSEDiff beside the same network in another program (bench/README.md). */
import { execFileSync, execSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  FormatError,
  UsageError,
  loadUpscaler,
  readPicture,
  writePicture,
  type Picture,
} from 'osediff';

/** What one side prints, as one line of JSON, when it is done. */
interface Report {
  readonly name: string;
  /** Seconds to load, and of one warm forward pass: the median of its runs. */
  readonly seconds: { readonly load: number; readonly forward: number };
  /** Most memory resident at once in its process. */
  readonly peakBytes: number;
}

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', multiple: true, default: ['sd21'] },
    lora: { type: 'string', multiple: true, default: [] },
    precision: { type: 'string', default: 'fp32' },
    device: { type: 'string', default: 'cpu' },
    prompt: { type: 'string', default: 'a photograph, highly detailed' },
    input: { type: 'string' },
    size: { type: 'string', default: '512' },
    runs: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
    ours: { type: 'string' }, // the parent's word to a child: measure this model, write the picture here
  },
});

const size = positive('--size', options.size);
const runs = positive('--runs', options.runs);
const rounds = positive('--rounds', options.rounds);
if (options.ours === undefined) await compare();
else console.log(JSON.stringify(await measure(options.ours)));

/** Our side, in this process: the first run warms up and does not count. */
async function measure(output: string): Promise<Report> {
  const { device, prompt, input = '', lora: loras } = options;
  const model = options.model[0]!;
  const precision = options.precision === 'fp16' ? 'fp16' : 'fp32';
  const picture = await readPicture(input);
  const start = performance.now();
  const upscaler = await loadUpscaler({ model, device, precision, loras });
  const load = (performance.now() - start) / 1000;
  const forwards: number[] = [];
  let result: Picture = picture;
  for (let run = 0; run <= runs; run++) {
    const begin = performance.now();
    result = await upscaler.upscale(picture, { scale: 4, prompt, color: 'none', tile: size });
    if (run > 0) forwards.push((performance.now() - begin) / 1000);
  }
  await upscaler.dispose();
  await writePicture(result, output, { overwrite: true });
  return {
    name: `osediff ${model} ${precision} on ${upscaler.model.device}`,
    seconds: { load, forward: median(forwards) },
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** All sides in turn, `rounds` times, each in a process of its own; then a table with ratios. */
async function compare(): Promise<void> {
  const peer = process.env['OSEDIFF_BENCH_TORCH'];
  const folder = mkdtempSync(join(tmpdir(), 'osediff-bench-'));
  try {
    const input = options.input ?? (await drawInput(folder, size / 4));
    const sides = options.model.map((model, i) => ({
      output: join(folder, `ours-${i}.png`),
      reports: [] as Report[],
      run: (output: string) => runOurs(model, input, output),
    }));
    const theirs = {
      output: join(folder, 'peer.png'),
      reports: [] as Report[],
      run: (output: string) => runPeer(peer!, input, output),
    };
    const all = peer === undefined ? sides : [...sides, theirs];
    for (let round = 0; round < rounds; round++) {
      for (const side of all) {
        const report = side.run(side.output);
        side.reports.push(report);
        console.error(`round ${round + 1}: ${describe(report)}`);
      }
    }
    const summaries = all.map(({ reports }) => summarize(reports));
    for (const summary of summaries) console.log(describe(summary));
    if (peer === undefined) return console.log('no ratios: OSEDIFF_BENCH_TORCH is not set');
    const torch = summaries.at(-1)!;
    for (const [i, ours] of summaries.slice(0, -1).entries()) {
      const time = ours.seconds.forward / torch.seconds.forward;
      const memory = ours.peakBytes / torch.peakBytes;
      const same = existsSync(theirs.output)
        ? await difference(sides[i]!.output, theirs.output)
        : 'pictures not compared';
      console.log(
        `${ours.name} / ${torch.name}: time ${time.toFixed(3)}, memory ${memory.toFixed(3)}, ${same}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runOurs(model: string, input: string, output: string): Report {
  const { precision, device, prompt, lora } = options;
  const flags = { model, input, precision, device, prompt, size, runs, ours: output };
  const stdout = execFileSync(
    process.execPath,
    [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      ...lora.map((file) => `--lora=${file}`),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return parseReport('osediff', stdout);
}

function runPeer(command: string, input: string, output: string): Report {
  const env = {
    ...process.env,
    OSEDIFF_BENCH_INPUT: input,
    OSEDIFF_BENCH_OUTPUT: output,
    OSEDIFF_BENCH_PROMPT: options.prompt,
    OSEDIFF_BENCH_SIZE: String(size),
    OSEDIFF_BENCH_RUNS: String(runs),
  };
  const stdout = execSync(command, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
  return parseReport('OSEDIFF_BENCH_TORCH', stdout);
}

function parseReport(where: string, stdout: string): Report {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  const report = line.startsWith('{') ? (JSON.parse(line) as Partial<Report>) : {};
  const { name, seconds, peakBytes } = report;
  if (name && seconds && seconds.load >= 0 && seconds.forward > 0 && peakBytes) {
    return { name, seconds, peakBytes };
  }
  throw new FormatError(
    `${where}: expected a last line of JSON with name, seconds.load, seconds.forward and peakBytes, ` +
      `got "${line.slice(0, 80)}". See bench/README.md.`,
  );
}

function summarize(reports: readonly Report[]): Report {
  return {
    name: reports[0]!.name,
    seconds: {
      load: median(reports.map((report) => report.seconds.load)),
      forward: median(reports.map((report) => report.seconds.forward)),
    },
    peakBytes: Math.max(...reports.map((report) => report.peakBytes)),
  };
}

function describe({ name, seconds, peakBytes }: Report): string {
  const { load, forward } = seconds;
  const memory = (peakBytes / 1e9).toFixed(2);
  return `${name}: load ${load.toFixed(1)} s, forward ${forward.toFixed(2)} s, peak ${memory} GB`;
}

/** How far apart two pictures are: proof that both sides did the same work. */
async function difference(ours: string, theirs: string): Promise<string> {
  const a = await readPicture(ours);
  const b = await readPicture(theirs);
  if (a.data.length !== b.data.length) return `pictures differ in size`;
  let largest = 0;
  let squares = 0;
  for (const [i, value] of a.data.entries()) {
    const error = Math.abs(value - b.data[i]!);
    largest = Math.max(largest, error);
    squares += error * error;
  }
  const psnr = 10 * Math.log10((255 * 255 * a.data.length) / squares);
  return `pictures agree to ${psnr.toFixed(1)} dB (largest difference ${largest} of 255)`;
}

/** A picture of soft waves: what is on it does not change the time. */
async function drawInput(folder: string, edge: number): Promise<string> {
  const data = Uint8Array.from({ length: edge * edge * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % edge, Math.floor(i / 3 / edge)];
    return 128 + 100 * Math.sin(x / 7 + (i % 3)) * Math.cos((x + 2 * y) / 11);
  });
  const path = join(folder, 'input.png');
  await writePicture({ width: edge, height: edge, channels: 3, data }, path);
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
