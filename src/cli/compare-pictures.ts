/** @file Compares two picture files: scores, and a page to look at both. */
import type { Picture } from '../image/picture.ts';
import type { Output } from './report.ts';

/** What `comparePictures` is asked for. */
export interface CompareOptions {
  /** Where the page goes; without it only the scores are printed. */
  readonly page?: string;
  /** Where a crop of both goes, for terminals that show pictures. */
  readonly crop?: string;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** Scores take both pictures into memory: larger ones are only shown. */
const mostScored = 100e6;

/**
 * Prints PSNR and SSIM (on Y, as the paper's tables have them) and writes a page. A smaller first
 * picture is enlarged to the second's size by bicubic interpolation, as the page shows it.
 *
 * @throws PathError and FormatError of reading and writing
 */
export async function comparePictures(
  before: string,
  after: string,
  { page, crop, overwrite, json }: CompareOptions,
  stdout: Output = process.stdout,
): Promise<void> {
  const { probePicture } = await import('../image/codec.ts');
  const [a, b] = [await probePicture(before), await probePicture(after)];
  const scored = b.width * b.height <= mostScored;
  const scores = scored ? await score(before, after) : undefined;
  const same = a.width === b.width && a.height === b.height;
  const scaled = same ? '' : ', the first enlarged by bicubic interpolation';
  const text = scores
    ? `PSNR ${scores.psnr.toFixed(2)} dB, SSIM ${scores.ssim.toFixed(4)}${scaled}`
    : `${b.width}x${b.height}: too large to be scored`;
  if (json) stdout.write(`${JSON.stringify({ before, after, ...scores, page, crop })}\n`);
  else stdout.write(`${text}\n`);
  if (page === undefined && crop === undefined) return;
  const { writeCompareCrop, writeComparePage } = await import('../pipeline/compare-page.ts');
  const files = { before, after, note: text, overwrite };
  if (page !== undefined) await writeComparePage(page, files);
  if (crop !== undefined) await writeCompareCrop(crop, files);
}

async function score(before: string, after: string): Promise<{ psnr: number; ssim: number }> {
  const { readPicture } = await import('../image/codec.ts');
  const { resize } = await import('../image/resample.ts');
  const { toRgb } = await import('../measures/rgb.ts');
  const { psnr } = await import('../measures/psnr.ts');
  const { ssim } = await import('../measures/ssim.ts');
  const second: Picture = await readPicture(after);
  const first = resize(await readPicture(before), second.width, second.height);
  const [x, y] = [toRgb(first), toRgb(second)];
  return { psnr: psnr(x, y), ssim: ssim(x, y) };
}
