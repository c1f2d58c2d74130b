/** @file `osediff upscale`: files and folders of pictures to larger pictures. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { PlannedPicture } from '../../pipeline/picture-check.ts';
import type { Upscaler, UpscalerOptions } from '../../pipeline/types.ts';
import { UsageError } from '../../tensor/errors.ts';
import { dataFolder } from '../../weights/data-folder.ts';
import { tellDevice } from '../device-line.ts';
import { tellPrompts } from '../prompt-line.ts';
import { exitCodes } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { jsonReporter, textReporter, type ReportOptions } from '../report.ts';
import {
  addUpscaleFlags,
  modelOptions,
  upscaleOptions,
  type UpscaleFlags,
} from '../upscale-flags.ts';
import { speedsOf } from '../speeds.ts';
import { processStreams } from '../streams.ts';
import { addWriteFlags, writeRules, type WriteFlags } from '../write-flags.ts';

/** Loads a model: `loadUpscaler`, unless a test brings its own. */
export type Load = (options: UpscalerOptions) => Promise<Upscaler>;

interface Flags extends UpscaleFlags, WriteFlags {
  readonly output?: string;
  readonly name?: string;
  readonly overwrite?: true;
  readonly skipExisting?: true;
  readonly dryRun?: true;
  readonly compare?: true;
  readonly json?: true;
}

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  const upscaler = await loadUpscaler(options);
  tellDevice(upscaler.model);
  tellPrompts(upscaler.model);
  return upscaler;
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
    .argument('<input...>', 'picture files, folders of them, patterns, or - for stdin')
    .option(
      '-o, --output <path>',
      'a file for one picture, - for stdout, else a folder (default: beside each)',
    );
  addWriteFlags(addUpscaleFlags(command))
    .option('--name <template>', 'of results: {stem}, {size}, {model}, {n}')
    .option('--skip-existing', 'leave results that exist as they are')
    .option('--compare', 'beside each result a page and a crop that show it with its input')
    .option('--dry-run', 'only say what would be done and what it takes')
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
  if (flags.overwrite && flags.skipExisting) {
    throw new UsageError('--overwrite: expected no --skip-existing beside it, got both.');
  }
  const signal = interruptSignal();
  const reporter = flags.json ? jsonReporter(report) : textReporter(report);
  const { upscaleFiles } = await import('../../pipeline/batch.ts');
  const speeds = speedsOf(model);
  let pictures: readonly PlannedPicture[] = [];
  try {
    const summary = await upscaleFiles(inputs, {
      ...(flags.output !== undefined && { out: flags.output }),
      ...(flags.name !== undefined && { name: flags.name }),
      ...(flags.format !== undefined && { format: flags.format }),
      overwrite: flags.overwrite ?? false,
      skipExisting: flags.skipExisting ?? false,
      dryRun: flags.dryRun ?? false,
      compare: flags.compare ?? false,
      model: flags.model,
      identity: model,
      rules: writeRules(flags),
      load: () => load(model),
      upscale: options,
      captions: flags.promptFrom === 'file',
      journals: join(dataFolder(), 'batches'),
      streams: processStreams,
      listener: {
        ...reporter,
        onPlanned(planned) {
          pictures = planned;
          reporter.onPlanned(planned);
        },
        onDone(index, result) {
          speeds.note(pictures[index]!, result.seconds);
          reporter.onDone(index, result);
        },
      },
      signal,
    });
    if (flags.dryRun) await speeds.report(pictures, reporter);
    else await speeds.keep();
    reporter.end(summary);
    if (summary.failed > 0) process.exitCode = exitCodes.failed;
  } catch (error) {
    reporter.stopped(error);
    throw error;
  }
}
