/** @file Small previews of picture files, for pages that show them. */
import { loadSharp } from '../image/sharp.ts';

/**
 * A picture file, reduced to fit a square; a smaller one keeps its size.
 *
 * @param edge of the square, in pixels
 * @returns the bytes of a WebP file
 * @throws Error of the decoder when the file cannot be read
 */
export async function previewPicture(file: string, edge: number): Promise<Buffer> {
  const sharp = await loadSharp();
  return sharp(file, { limitInputPixels: false })
    .autoOrient()
    .resize({ width: edge, height: edge, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 75 })
    .toBuffer();
}
