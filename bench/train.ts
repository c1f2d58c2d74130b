/**
 * @file Time and memory of one training step beside the same step in another program (bench/README.md).
 *
 *     node --conditions=osediff-source --import=tsx bench/train.ts --size small --size middle
 */
import { execFileSync, execSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Algorithm1, algorithm1 } from '../src/finetune/algorithm1.ts';
import type { Algorithm1Config } from '../src/finetune/algorithm1-config.ts';
import { initialParameters } from '../src/finetune/initial.ts';
import { trainingSession } from '../src/finetune/session.ts';
import { type Batch, Trainer } from '../src/finetune/step.ts';
import { requiredByUnet, requiredByVae } from '../src/networks/required.ts';
import { FormatError, UsageError } from '../src/tensor/errors.ts';
import { toFloat32 } from '../src/tensor/float16.ts';
import type { Tensor } from '../src/tensor/tensor.ts';
import { planned, writeSafetensors } from '../src/weights/safetensors-writer.ts';
import { openWeights } from '../src/weights/source.ts';
import {
  batchArrays,
  benchConfig,
  type BenchSize,
  benchSizes,
  configJsons,
  draw,
  guidance,
  loraScale,
  randomWeight,
} from './train-model.ts';

type Float = Tensor<'float32'>;

/** What one side prints, as one line of JSON, when it is done. */
interface Report {
  readonly name: string;
  /** Seconds to load; of one warm step, the median of its runs; and of the cores in it, all together. */
  readonly seconds: { readonly load: number; readonly step: number; readonly cpu: number };
  /** Most memory resident at once in its process. */
  readonly peakBytes: number;
  /** Of the first step, by which one sees that both sides do the same. */
  readonly losses: Readonly<Record<string, number>>;
}

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', multiple: true, default: ['small', 'middle'] },
    recompute: { type: 'string', multiple: true, default: [] }, // auto, auto-cheap, 64, 64-cheap
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    ours: { type: 'string' }, // the parent's word to a child: measure on this folder
  },
});
const runs = positive('--runs', options.runs);
const rounds = positive('--rounds', options.rounds);
const threads = positive('--threads', options.threads);

if (options.ours !== undefined) console.log(JSON.stringify(await measure(options.ours)));
else for (const name of options.size) await compare(sizeOf(name));

/** Our side, in this process: the first step warms up and does not count. */
async function measure(folder: string): Promise<Report> {
  const size = sizeOf(options.size.at(-1)!);
  const [recompute] = options.recompute;
  const config = benchConfig(size, recompute === undefined ? undefined : parseRecompute(recompute));
  const start = performance.now();
  const plan = algorithm1(config);
  const read = await readerOf(folder);
  const scratch = join(folder, `ours-${process.pid}`);
  mkdirSync(scratch);
  const session = await trainingSession(plan.graph, read, scratch, { threads });
  const parameters = new Map<string, Float>();
  for (const { name } of parametersOf(plan)) parameters.set(name, await read(name));
  const load = (performance.now() - start) / 1000;
  const trainer = new Trainer(session, plan, config, parameters);
  const batch = await readBatch(folder);
  const steps: number[] = [];
  const cores: number[] = [];
  let losses: Report['losses'] = {};
  for (let run = 0; run <= runs; run++) {
    const [begin, used] = [performance.now(), process.cpuUsage()];
    const report = await trainer.step([batch], 5e-5);
    if (run === 0) {
      losses = report.losses;
      continue;
    }
    const { user, system } = process.cpuUsage(used);
    steps.push((performance.now() - begin) / 1000);
    cores.push((user + system) / 1e6);
  }
  await session.release();
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  rmSync(scratch, { recursive: true });
  const how = recompute === undefined ? '' : `, segments of ${recompute} MiB`;
  return {
    name: `osediff${how}`,
    seconds: { load, step: median(steps), cpu: median(cores) },
    peakBytes,
    losses,
  };
}

/** All sides in turn, `rounds` times, each in a process of its own; then a table with ratios. */
async function compare(size: BenchSize): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-bench-'));
  try {
    await writeFolder(folder, size);
    const peer = process.env['OSEDIFF_BENCH_TRAIN_TORCH'];
    const sides = [undefined, ...options.recompute].map(
      (recompute) => () => runOurs(folder, size, recompute),
    );
    if (peer !== undefined) sides.push(() => runPeer(peer, folder));
    const reports = sides.map((): Report[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, side] of sides.entries()) {
        const report = side();
        reports[i]!.push(report);
        console.error(`${size.name}, round ${round + 1}: ${describe(report)}`);
      }
    }
    const summaries = reports.map(summarize);
    for (const summary of summaries) console.log(`${size.name}: ${describe(summary)}`);
    if (peer === undefined) return console.log('no ratios: OSEDIFF_BENCH_TRAIN_TORCH is not set');
    const torch = summaries.at(-1)!;
    for (const ours of summaries.slice(0, -1)) {
      const time = (ours.seconds.step / torch.seconds.step).toFixed(3);
      const cpu = (ours.seconds.cpu / torch.seconds.cpu).toFixed(3);
      const memory = (ours.peakBytes / torch.peakBytes).toFixed(3);
      const apart = Math.max(
        ...Object.entries(torch.losses).map(([name, loss]) =>
          Math.abs(ours.losses[name]! / loss - 1),
        ),
      );
      console.log(
        `${size.name}: ${ours.name} / ${torch.name}: time ${time}, cores ${cpu}, memory ${memory}, losses within ${apart.toExponential(1)}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runOurs(folder: string, size: BenchSize, recompute: string | undefined): Report {
  const flags = { size: size.name, ours: folder, runs, threads };
  const stdout = execFileSync(
    process.execPath,
    [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      ...(recompute === undefined ? [] : [`--recompute=${recompute}`]),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return parseReport('osediff', stdout);
}

function runPeer(command: string, folder: string): Report {
  const env = {
    ...process.env,
    OSEDIFF_BENCH_FOLDER: folder,
    OSEDIFF_BENCH_RUNS: String(runs),
    OSEDIFF_BENCH_THREADS: String(threads),
  };
  const stdout = execSync(command, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
  return parseReport('OSEDIFF_BENCH_TRAIN_TORCH', stdout);
}

function parseReport(where: string, stdout: string): Report {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  const report = line.startsWith('{') ? (JSON.parse(line) as Partial<Report>) : {};
  const { name, seconds, peakBytes, losses } = report;
  if (name && seconds && seconds.step > 0 && seconds.cpu > 0 && peakBytes && losses) {
    return { name, seconds, peakBytes, losses };
  }
  throw new FormatError(
    `${where}: expected a last line of JSON with name, seconds.{load,step,cpu}, peakBytes ` +
      `and losses, got "${line.slice(0, 80)}". See bench/README.md.`,
  );
}

function summarize(reports: readonly Report[]): Report {
  const { name, losses } = reports[0]!;
  return {
    name,
    losses,
    seconds: {
      load: median(reports.map(({ seconds }) => seconds.load)),
      step: median(reports.map(({ seconds }) => seconds.step)),
      cpu: median(reports.map(({ seconds }) => seconds.cpu)),
    },
    peakBytes: Math.max(...reports.map(({ peakBytes }) => peakBytes)),
  };
}

function describe({ name, seconds, peakBytes, losses }: Report): string {
  const memory = (peakBytes / 1e9).toFixed(2);
  const values = Object.entries(losses).map(([loss, value]) => `${loss} ${value.toFixed(5)}`);
  return `${name}: load ${seconds.load.toFixed(1)} s, step ${seconds.step.toFixed(3)} s (${seconds.cpu.toFixed(3)} s of cores), peak ${memory} GB (${values.join(', ')})`;
}

/** Model, first parameters, LPIPS and batch, as bench/README.md describes them. */
async function writeFolder(folder: string, size: BenchSize): Promise<void> {
  const jsons = configJsons(size);
  const config = benchConfig(size);
  const plan = algorithm1(config);
  const parts = {
    unet: requiredByUnet(config.generator.unet),
    vae: requiredByVae(config.generator.vae),
  };
  for (const part of ['unet', 'vae'] as const) {
    mkdirSync(join(folder, part));
    writeFileSync(join(folder, part, 'config.json'), JSON.stringify(jsons[part]));
    const weights = [...parts[part]].map(([key, shape]) => [key, lazily(key, shape)] as const);
    await writeSafetensors(
      join(folder, part, 'diffusion_pytorch_model.safetensors'),
      new Map(weights),
    );
  }
  const lpips = [...plan.graph.weights.values()]
    .flatMap(({ weight }) => weight!.sources)
    .filter(({ key }) => key.startsWith('lpips.'))
    .map(({ key, shape }) => {
      const [, kind, rest] = /^lpips\.(trunk|lin)\.(.*)$/.exec(key)!;
      const name = kind === 'trunk' ? `features.${rest}` : `lin${rest!.replace('.', '.model.1.')}`;
      return [name, lazily(name, shape)] as const;
    });
  await writeSafetensors(join(folder, 'lpips.safetensors'), new Map(lpips));
  const fresh = await initialParameters(parametersOf(plan), 1, (key) =>
    Promise.resolve(randomWeight(key.replace(/^unet\./, ''), parts.unet.get(key.slice(5))!)),
  );
  for (const [name, { shape, data }] of fresh) {
    if (name.includes('.lora_B.')) data.set(draw(name, shape, 0.02).data);
  }
  const stored = [...fresh].map(([name, value]) => [name, planned(value)] as const);
  await writeSafetensors(join(folder, 'parameters.safetensors'), new Map(stored));
  const batch = [...batchArrays(size)].map(([name, value]) => [name, planned(value)] as const);
  await writeSafetensors(join(folder, 'batch.safetensors'), new Map(batch));
  writeFileSync(join(folder, 'settings.json'), JSON.stringify({ guidance, scale: loraScale }));
}

function lazily(key: string, shape: readonly number[]) {
  return { dtype: 'float32' as const, shape, read: () => randomWeight(key, shape) };
}

function parametersOf(plan: Algorithm1) {
  return Object.values(plan.parameters).flat();
}

/** Reads weights and parameters by the graph's keys. */
async function readerOf(folder: string): Promise<(key: string) => Promise<Float>> {
  const open = (name: string) => openWeights(join(folder, name));
  const parameters = await open('parameters.safetensors');
  const lpips = await open('lpips.safetensors');
  const parts = new Map([
    ['unet', await open('unet/diffusion_pytorch_model.safetensors')],
    ['vae', await open('vae/diffusion_pytorch_model.safetensors')],
  ]);
  return async (key) => {
    if (parameters.entries.has(key)) return toFloat32(await parameters.read(key));
    const [part, rest] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)];
    const own = rest.replace(/^trunk\./, 'features.').replace(/^lin\.(\d)\./, 'lin$1.model.1.');
    return toFloat32(await (part === 'lpips' ? lpips.read(own) : parts.get(part)!.read(rest)));
  };
}

async function readBatch(folder: string): Promise<Batch> {
  const source = await openWeights(join(folder, 'batch.safetensors'));
  const get = async (name: string): Promise<Float> => toFloat32(await source.read(name));
  const noise = async (name: string) => ({
    timesteps: [...(await get(`${name}_t`)).data],
    noise: await get(`${name}_noise`),
  });
  return {
    xL: await get('x_l'),
    xGt: await get('x_gt'),
    text: await get('text'),
    negative: await get('negative'),
    vsd: await noise('vsd'),
    diff: await noise('diff'),
  };
}

/** `auto` or `64` recomputes everything in segments of that many MiB; `auto-cheap` no products. */
function parseRecompute(text: string): NonNullable<Algorithm1Config['recompute']> {
  const [, size = text, cheap] = /^(\d+|auto)(-cheap)?$/.exec(text) ?? [];
  const segmentBytes = size === 'auto' ? size : positive('--recompute', size) * 2 ** 20;
  return { segmentBytes, keepProducts: cheap !== undefined };
}

function sizeOf(name: string): BenchSize {
  const size = benchSizes.find((one) => one.name === name);
  if (size) return size;
  const known = benchSizes.map((one) => one.name).join(', ');
  throw new UsageError(`--size: expected one of ${known}, got "${name}".`);
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
