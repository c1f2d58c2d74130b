/** @file `osediff degrade`: makes pairs of degraded and true pictures to train on. */
import { Option, type Command } from 'commander';
import type { JpegKind } from '../../degrade/sample.ts';
import { explainPathError } from '../../image/path-errors.ts';
import { UsageError } from '../../tensor/errors.ts';
import { countReporter } from '../count-report.ts';
import { errorMessage, errorText, exitCodes, oneLine } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { integerFrom } from '../parse.ts';

interface Flags {
  readonly out: string;
  readonly params?: string;
  readonly seed: number;
  readonly scale?: number;
  readonly jpeg: JpegKind;
  readonly overwrite?: true;
  readonly json?: true;
}

/** Add the command to a program. */
export function addDegrade(program: Command): void {
  program
    .command('degrade')
    .description('make low-quality counterparts of pictures, as OSEDiff and Real-ESRGAN train on')
    .argument('<inputs...>', 'PNG, JPEG, WebP or TIFF files, or folders of them')
    .requiredOption('--out <folder>', 'gets hr/ (the pictures) and lr/ (degraded and small)')
    .option('--params <file>', "JSON with any of the parameters (default: OSEDiff's)")
    .option('--seed <number>', 'the same seed gives the same pictures', integerFrom(0), 0)
    .option('--scale <factor>', 'how many times smaller (default: 4)', integerFrom(1))
    .addOption(
      new Option('--jpeg <kind>', 'the JPEG of the paper, computed, or that of files')
        .choices(['diff', 'real'])
        .default('diff'),
    )
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object a line, with every choice made')
    .action((inputs: string[], flags: Flags) => degradeFiles(inputs, flags));
}

async function degradeFiles(inputs: readonly string[], flags: Flags): Promise<void> {
  const { out, seed, jpeg, overwrite = false, json = false } = flags;
  if (out === '') throw new UsageError('--out: expected a folder, got an empty name.');
  const { osediffParams, readParams } = await import('../../degrade/params.ts');
  const { writePairs } = await import('../../degrade/pairs.ts');
  const { findInputs } = await import('../../pipeline/inputs.ts');
  const read = flags.params === undefined ? osediffParams : await readParams(flags.params);
  const params = flags.scale === undefined ? read : { ...read, scale: flags.scale };
  const { found, refused } = await findInputs(inputs, out);

  const reporter = countReporter();
  const fail = (input: string, error: unknown): void => {
    const told = explainPathError(error, input);
    const text = errorText(told);
    const name = oneLine(input);
    reporter.end();
    process.stderr.write(`osediff: ${text.includes(name) ? text : `${name}: ${text}`}\n`);
    if (json) print({ event: 'failed', input, error: errorMessage(told) });
  };
  for (const { input, error } of refused) fail(input, error);
  try {
    const { done, failed } = await writePairs(found, {
      out,
      params,
      seed,
      jpeg,
      overwrite,
      signal: interruptSignal(),
      onDone: (result, count, total) => {
        reporter.onCount(count, total, result.input);
        if (json) print({ event: 'done', ...result });
        else process.stdout.write(`${result.lr}\n`);
      },
      onFailed: fail,
    });
    if (json) print({ event: 'end', done, failed: failed + refused.length });
    if (failed + refused.length > 0) process.exitCode = exitCodes.failed;
  } finally {
    reporter.end();
  }
}

function print(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
