/** @file `osediff tag`: what pictures show, as the prompts of the paper name it. */
import { extname } from 'node:path';
import type { Command } from 'commander';
import { writeFileSafely } from '../../image/safe-write.ts';
import type { RowSource } from '../../pipeline/rows.ts';
import type { ChosenTag } from '../../text/tags.ts';
import { OsediffError, UsageError } from '../../tensor/errors.ts';
import { countReporter } from '../count-report.ts';
import { errorText, exitCodes, oneLine } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { device, numberBetween } from '../parse.ts';

interface Flags {
  readonly tagger: string;
  readonly scale: number;
  readonly device: string;
  readonly write?: true;
  readonly overwrite?: true;
  readonly json?: true;
}

/** Add the command to a program. */
export function addTag(program: Command): void {
  program
    .command('tag')
    .description('name what pictures show, by the tagger whose prompts OSEDiff was trained with')
    .argument('<input...>', 'PNG, JPEG, WebP or TIFF files, or folders of them')
    .option('--tagger <name>', 'an imported tagger', 'dape')
    .option('--scale <factor>', 'enlarge first, as "upscale" does', numberBetween(1, 16), 1)
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .option('--write', 'write the tags of each picture into a .txt file beside it')
    .option('--overwrite', 'with --write: replace existing files')
    .option('--json', 'print one JSON object a picture, with probabilities')
    .action((inputs: string[], flags: Flags) => tagFiles(inputs, flags));
}

async function tagFiles(inputs: readonly string[], flags: Flags): Promise<void> {
  if (flags.overwrite && !flags.write) {
    throw new UsageError('--overwrite: expected --write beside it, got nothing that is written.');
  }
  const { findInputs } = await import('../../pipeline/inputs.ts');
  const { found, refused } = await findInputs(inputs);
  for (const { error } of refused) failed(error);
  if (found.length === 0) return;
  const { chooseDevice } = await import('../../pipeline/device.ts');
  const { openTagger } = await import('../../pipeline/tagger.ts');
  const signal = interruptSignal();
  const reporter = countReporter();
  const { device } = await chooseDevice(flags.device);
  const options = { device, precision: 'fp32' } as const;
  const tagger = await openTagger(flags.tagger, options);
  try {
    for (const [i, { path }] of found.entries()) {
      signal.throwIfAborted();
      try {
        const tags = await tagger.tag(await readEnlarged(path, flags.scale));
        reporter.end();
        if (flags.write) await writeTags(path, tags, flags.overwrite ?? false);
        process.stdout.write(`${lineOf(path, tags, found.length > 1, flags.json)}\n`);
      } catch (error) {
        if (!(error instanceof OsediffError)) throw error;
        reporter.end();
        failed(error);
      }
      if (found.length > 1) reporter.onCount(i + 1, found.length, path);
    }
  } finally {
    reporter.end();
    await tagger.release();
  }
}

async function readEnlarged(path: string, scale: number): Promise<RowSource> {
  const { readPicture } = await import('../../image/codec.ts');
  const { enlarge } = await import('../../pipeline/enlarge.ts');
  const { pictureRows } = await import('../../pipeline/rows.ts');
  const { outputSize } = await import('../../pipeline/size.ts');
  const picture = await readPicture(path);
  // At scale 1 nothing changes but the colour that alpha hides.
  const { color, alpha } = enlarge(picture, outputSize(picture, { scale }));
  return pictureRows(color, alpha);
}

/** Tells of a picture that has no tags; the others go on. */
function failed(error: unknown): void {
  process.stderr.write(`osediff: ${errorText(error)}\n`);
  process.exitCode = exitCodes.failed;
}

function lineOf(path: string, tags: readonly ChosenTag[], several: boolean, json?: true): string {
  if (json) return JSON.stringify({ input: path, tags });
  const text = tags.map(({ tag }) => tag).join(', ');
  return several ? `${oneLine(path)}: ${text}` : text;
}

/** Captions stand beside their picture: `photo.png` has `photo.txt`. */
async function writeTags(
  path: string,
  tags: readonly ChosenTag[],
  overwrite: boolean,
): Promise<void> {
  const file = `${path.slice(0, path.length - extname(path).length)}.txt`;
  const text = `${tags.map(({ tag }) => tag).join(', ')}\n`;
  await writeFileSafely(file, Buffer.from(text), { overwrite });
}
