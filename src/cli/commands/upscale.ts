/** @file `osediff upscale`: files and folders of pictures to larger pictures. */
import type { Command } from 'commander';
import type { Upscaler, UpscalerOptions } from '../../pipeline/types.ts';
import { exitCodes } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { jsonReporter, textReporter, type ReportOptions } from '../report.ts';
import {
  addUpscaleFlags,
  modelOptions,
  upscaleOptions,
  type UpscaleFlags,
} from '../upscale-flags.ts';

/** Loads a model: `loadUpscaler`, unless a test brings its own. */
export type Load = (options: UpscalerOptions) => Promise<Upscaler>;

interface Flags extends UpscaleFlags {
  readonly output?: string;
  readonly overwrite?: true;
  readonly json?: true;
}

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  return loadUpscaler(options);
};

/** Add the command to a program; `report` says where it prints. */
export function addUpscale(
  program: Command,
  load: Load = loadModel,
  report: ReportOptions = {},
): void {
  const command = program
    .command('upscale')
    .description('enlarge pictures')
    .argument('<input...>', 'PNG, JPEG, WebP or TIFF files, or folders of them')
    .option('-o, --output <path>', 'a file for one picture, else a folder (default: beside each)');
  addUpscaleFlags(command)
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object a line')
    .action((inputs: string[], flags: Flags) => upscale(inputs, flags, load, report));
}

async function upscale(
  inputs: readonly string[],
  flags: Flags,
  load: Load,
  report: ReportOptions,
): Promise<void> {
  const options = upscaleOptions(flags);
  const model = modelOptions(flags);
  const signal = interruptSignal();
  const reporter = flags.json ? jsonReporter(report) : textReporter(report);
  const { upscaleFiles } = await import('../../pipeline/batch.ts');
  try {
    const summary = await upscaleFiles(inputs, {
      ...(flags.output !== undefined && { out: flags.output }),
      overwrite: flags.overwrite ?? false,
      load: () => load(model),
      upscale: options,
      listener: reporter,
      signal,
    });
    reporter.end(summary);
    if (summary.failed > 0) process.exitCode = exitCodes.failed;
  } catch (error) {
    reporter.stopped(error);
    throw error;
  }
}
