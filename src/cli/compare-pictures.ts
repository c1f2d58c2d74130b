/** @file Compares two picture files: scores, and a page to look at both. */
import type { Output } from './report.ts';

/** What `comparePictures` is asked for. */
export interface CompareOptions {
  /** Where the page goes. */
  readonly page: string;
  /** Where a crop of both goes, for terminals that show pictures. */
  readonly crop?: string;
  readonly overwrite: boolean;
}

/** Scores take both pictures into memory: larger ones are only shown. */
const mostScored = 40e6;
/** The window of SSIM. */
const leastSide = 11;

/**
 * Writes a page, prints its path on stdout, and PSNR and SSIM (on Y, as the paper's tables have
 * them) on stderr. A first picture of another size is brought to the second's by bicubic
 * interpolation, as the page shows it.
 *
 * @throws PathError and FormatError of reading and writing
 */
export async function comparePictures(
  before: string,
  after: string,
  { page, crop, overwrite }: CompareOptions,
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
): Promise<void> {
  const { writeCompareCrop, writeComparePage } = await import('../pipeline/compare-page.ts');
  const text = await scores(before, after);
  const files = { before, after, note: text, overwrite };
  await writeComparePage(page, files);
  if (crop !== undefined) await writeCompareCrop(crop, files);
  stderr.write(`${text}\n`);
  for (const file of crop === undefined ? [page] : [page, crop]) stdout.write(`${file}\n`);
}

async function scores(before: string, after: string): Promise<string> {
  const { probePicture, readPicture } = await import('../image/codec.ts');
  const { width, height } = await probePicture(after, { limitPixels: Infinity });
  if (width * height > mostScored) return `${width}x${height}: too large to be scored`;
  const { resize } = await import('../image/resample.ts');
  const { toRgb } = await import('../measures/rgb.ts');
  const { psnr } = await import('../measures/psnr.ts');
  const { ssim } = await import('../measures/ssim.ts');
  const first = await readPicture(before, { limitPixels: Infinity });
  const [a, b] = [toRgb(resize(first, width, height)), toRgb(await readPicture(after))];
  const same = first.width === width && first.height === height;
  const similarity = Math.min(width, height) < leastSide ? '' : `, SSIM ${ssim(b, a).toFixed(4)}`;
  const resized = same ? '' : `, the first resized to ${width}x${height}`;
  return `PSNR ${psnr(b, a).toFixed(2)} dB${similarity}${resized}`;
}
