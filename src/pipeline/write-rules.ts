/** @file How results are written, beside where: format, depth, and what becomes of what their files say. */
import type { EncodeOptions } from '../image/encode.ts';
import type { ProfileRule } from '../image/codec.ts';
import type { DensityRule } from '../image/metadata.ts';

export interface WriteRules extends EncodeOptions {
  /** Colours stay in the input's profile, or are converted to sRGB. @default 'keep' */
  readonly profile?: ProfileRule;
  /** Dots per inch: as they were, times the scale, or a number. @default 'keep' */
  readonly density?: DensityRule;
  /** Leave out EXIF, XMP, IPTC and texts. @default false */
  readonly strip?: boolean;
  /** Of animations and of files with several pages only the first picture. @default false */
  readonly firstFrame?: boolean;
  /** Most pixels of an input; `Infinity` lifts the limit. @default 268402689 */
  readonly limitPixels?: number;
}
