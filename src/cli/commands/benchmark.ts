/** @file `osediff benchmark`: the paper's Table 2 for this machine. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Figures } from '../../pipeline/benchmark.ts';
import { device, integerFrom } from '../parse.ts';

interface Flags {
  readonly model: string;
  readonly size: number;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly runs: number;
  readonly json?: true;
}

/** Add the command to a program. */
export function addBenchmark(program: Command): void {
  program
    .command('benchmark')
    .description('time a model part by part, with its parameters, multiply-adds and memory')
    .option('--model <name>', 'an installed model', 'compact')
    .option('--size <pixels>', 'edge of the output', integerFrom(8), 512)
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(
      new Option('--precision <type>', 'arithmetic').choices(['fp32', 'fp16']).default('fp32'),
    )
    .option('--runs <number>', 'timed runs, after one that warms up', integerFrom(1), 3)
    .option('--json', 'print one JSON object')
    .action((flags: Flags) => measure(flags));
}

async function measure({ json, ...options }: Flags): Promise<void> {
  const { benchmark } = await import('../../pipeline/benchmark.ts');
  const onPart = (name: string): void => void process.stderr.write(`measuring: ${name}\n`);
  const figures = await benchmark({ ...options, onPart });
  process.stdout.write(json ? `${JSON.stringify(figures, null, 2)}\n` : figuresTable(figures));
}

/** The figures as a table in Markdown. */
export function figuresTable(figures: Figures): string {
  const { model, device: where, precision, size, steps, parts, peakBytes } = figures;
  const rows = [
    ...parts.map((part) => row(part.name, part.seconds, part.parameters, part.multiplyAdds)),
    row('forward', figures.forwardSeconds, figures.parameters, figures.multiplyAdds),
    `| file to file | ${figures.fileSeconds.toFixed(3)} | | |`,
  ];
  return [
    `${model}, ${size}x${size}, ${steps} step, ${where}, ${precision}; peak memory ${(peakBytes / 1e9).toFixed(2)} GB`,
    '',
    '| part | seconds | parameters (M) | multiply-adds (G) |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
    '',
  ].join('\n');
}

function row(name: string, seconds: number, parameters: number, macs: number): string {
  return `| ${name} | ${seconds.toFixed(3)} | ${(parameters / 1e6).toFixed(2)} | ${(macs / 1e9).toFixed(2)} |`;
}
