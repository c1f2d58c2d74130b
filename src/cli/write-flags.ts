/** @file The options that say how results are written, for commands that write pictures. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ProfileRule } from '../image/codec.ts';
import type { Format } from '../image/formats.ts';
import type { DensityRule } from '../image/metadata.ts';
import type { WriteRules } from '../pipeline/write-rules.ts';
import { integerFrom } from './parse.ts';

/** What commander makes of them. */
export interface WriteFlags {
  readonly format?: Format;
  readonly quality?: number;
  readonly lossless?: true;
  readonly bits?: '8' | '16';
  readonly profile?: ProfileRule;
  readonly dpi?: DensityRule;
  readonly strip?: true;
  readonly firstFrame?: true;
  readonly limitPixels?: number;
}

/** Names of formats as people write them. */
const formats: Readonly<Record<string, Format>> = {
  png: 'png',
  jpg: 'jpeg',
  jpeg: 'jpeg',
  webp: 'webp',
  tif: 'tiff',
  tiff: 'tiff',
  avif: 'avif',
  gif: 'gif',
};

function format(text: string): Format {
  const known = formats[text.toLowerCase()];
  if (known) return known;
  throw new InvalidArgumentError('Expected png, jpg, webp, tif, avif or gif.');
}

function density(text: string): DensityRule {
  if (text === 'keep' || text === 'scale') return text;
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value > 0 && value <= 65535) return value;
  throw new InvalidArgumentError('Expected keep, scale or a number of dots per inch.');
}

/** A number of pixels; `none` is no limit. */
function limit(text: string): number {
  return text === 'none' ? Infinity : integerFrom(1)(text);
}

/** Adds the options to a command. */
export function addWriteFlags(command: Command): Command {
  return command
    .option('--format <name>', "png, jpg, webp, tif, avif or gif (default: the input's)", format)
    .option('--quality <1-100>', 'of JPEG, WebP and AVIF (default: 95)', integerFrom(1))
    .option('--lossless', 'WebP and AVIF without loss')
    .addOption(new Option('--bits <8|16>', 'bits a sample').choices(['8', '16']))
    .addOption(
      new Option('--profile <rule>', 'keep the colour profile, or convert to sRGB')
        .choices(['keep', 'srgb'])
        .default('keep'),
    )
    .option('--dpi <rule>', 'keep, scale or a number', density, 'keep')
    .option('--strip', 'leave out EXIF, XMP, IPTC and texts')
    .option('--first-frame', 'of animations and files with pages only the first picture')
    .option(
      '--limit-pixels <n>',
      'refuse larger inputs; "none" lifts it (default: 268402689)',
      limit,
    );
}

/** What the flags say about each result. */
export function writeRules(flags: WriteFlags): WriteRules {
  const { quality, lossless, bits, profile, dpi, strip, firstFrame, limitPixels } = flags;
  return {
    ...(quality !== undefined && { quality }),
    ...(lossless && { lossless }),
    ...(bits !== undefined && { bits: bits === '8' ? 8 : 16 }),
    ...(profile !== undefined && { profile }),
    ...(dpi !== undefined && { density: dpi }),
    ...(strip && { strip }),
    ...(firstFrame && { firstFrame }),
    ...(limitPixels !== undefined && { limitPixels }),
  };
}
