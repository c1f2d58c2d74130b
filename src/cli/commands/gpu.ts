/** @file `osediff gpu install`: brings CUDA to this installation. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { DeviceError, UsageError } from '../../tensor/errors.ts';
import { countReporter } from '../count-report.ts';
import { oneLine } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';

interface Flags {
  readonly from?: string;
  readonly mirror?: string;
  readonly withoutCard?: true;
  readonly yes?: true;
}

/** Add the command to a program. */
export function addGpu(program: Command): void {
  program
    .command('gpu')
    .description('bring what CUDA needs')
    .command('install')
    .description('find or fetch NVIDIA’s libraries and onnxruntime’s CUDA provider (Linux on x64)')
    .option('--from <folder>', 'take the packages from a folder, for machines without network')
    .option('--mirror <url>', 'fetch from this server instead of https://files.pythonhosted.org')
    .option('--without-card', 'go on where no NVIDIA driver is loaded, and try nothing')
    .option('--yes', 'do not ask')
    .action((flags: Flags) => installCuda(flags));
}

async function installCuda({ from, mirror, withoutCard, yes }: Flags): Promise<void> {
  if (from !== undefined && mirror !== undefined) {
    throw new UsageError('--mirror: expected no --from beside it, got both. Leave one out.');
  }
  const { install, planInstall } = await import('../../runtime/gpu/install.ts');
  const { wheelsFor } = await import('../../runtime/gpu/releases.ts');
  const { bindingFolder, onnxruntimeVersion } = await import('../../runtime/provider.ts');
  const { gpuFolder } = await import('../../pipeline/gpu-folder.ts');
  const version = onnxruntimeVersion();
  const wheels = wheelsFor(version);
  if (!wheels) {
    throw new DeviceError(
      `gpu: expected an onnxruntime-node whose CUDA packages are known, got ${version}. Update osediff.`,
    );
  }
  const options = {
    folder: gpuFolder(),
    binding: bindingFolder(),
    wheels,
    withoutCard: withoutCard === true,
  };
  const plan = await planInstall(options);
  for (const { file, path } of plan.found) {
    if (path !== undefined) say(`${file}: there (${path})`);
  }
  if (plan.missing.length > 0 && !yes && !(await agreed(plan.missing, from))) {
    throw new UsageError('gpu install: expected your consent, got none. Nothing was changed.');
  }
  const reporter = countReporter();
  const signal = interruptSignal();
  try {
    const place = await install(plan, options, {
      ...(from !== undefined && { from }),
      ...(mirror !== undefined && { mirror }),
      signal,
      onProgress: (done, total, name) => {
        reporter.onCount(Math.round(done / 1e6), Math.round(total / 1e6), `${name} (MB)`);
      },
    });
    reporter.end();
    say(`the CUDA provider is in ${place}`);
  } finally {
    reporter.end();
  }
  if (withoutCard) return;
  const { chooseDevice } = await import('../../pipeline/device.ts');
  const { device } = await chooseDevice('cuda');
  process.stdout.write(`${device} works: it computed the proving model rightly\n`);
}

/** Asks once, on a terminal; elsewhere `--yes` has to be given. */
async function agreed(
  missing: readonly { name: string; version: string; bytes: number; licence: string }[],
  from: string | undefined,
): Promise<boolean> {
  const verb = from === undefined ? 'fetched from PyPI' : `taken from ${from}`;
  for (const { name, version, bytes, licence } of missing) {
    say(`to be ${verb}: ${name} ${version}, ${(bytes / 1e6).toFixed(0)} MB, licence ${licence}`);
  }
  const bytes = missing.reduce((sum, wheel) => sum + wheel.bytes, 0);
  say(`${(bytes / 1e9).toFixed(2)} GB in all; the licences are put beside the libraries`);
  if (!process.stdin.isTTY) {
    throw new UsageError('gpu install: expected --yes, since there is no terminal to ask on.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question('Do you accept these licences, and go on? [y/N] ');
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

function say(text: string): void {
  process.stderr.write(`${oneLine(text)}\n`);
}
