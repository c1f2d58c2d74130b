/** @file The file formats pictures are written in, and what each can hold. */
import path from 'node:path';
import { FormatError } from '../tensor/errors.ts';

/** Formats that are written here. */
export type Format = 'png' | 'jpeg' | 'webp' | 'tiff' | 'avif' | 'gif';

/** What a format can hold. `side` is its longest side in pixels, by its specification. */
interface Limits {
  readonly label: string;
  readonly side: number;
  readonly bits: 8 | 10 | 16;
  readonly alpha: boolean;
  readonly animated: boolean;
  /** Whether it can hold an ICC profile. */
  readonly profile: boolean;
}

const still = { animated: false, profile: true } as const;

const limits: Readonly<Record<Format, Limits>> = {
  png: { label: 'PNG', side: 2 ** 31 - 1, bits: 16, alpha: true, ...still },
  jpeg: { label: 'JPEG', side: 65535, bits: 8, alpha: false, ...still },
  webp: { label: 'WebP', side: 16383, bits: 8, alpha: true, animated: true, profile: true },
  tiff: { label: 'TIFF', side: 2 ** 31 - 1, bits: 16, alpha: true, ...still },
  avif: { label: 'AVIF', side: 16384, bits: 10, alpha: true, ...still },
  gif: { label: 'GIF', side: 65535, bits: 8, alpha: true, animated: true, profile: false },
};

const byExtension: Readonly<Record<string, Format>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
  '.tif': 'tiff',
  '.tiff': 'tiff',
  '.avif': 'avif',
  '.gif': 'gif',
};

/** What `format` can hold. */
export function limitsOf(format: Format): Limits {
  return limits[format];
}

/**
 * The format a file name asks for.
 *
 * @throws FormatError when its extension is none that is written here.
 */
export function formatOf(file: string): Format {
  const extension = path.extname(file);
  const format = byExtension[extension.toLowerCase()];
  if (format === undefined) {
    throw new FormatError(
      `${file}: expected a name ending in .png, .jpg, .webp, .tif, .avif or .gif, got ${extension || 'no extension'}. Name the output so.`,
    );
  }
  return format;
}

/**
 * Checks before any work that a picture of this size can be written to `file`.
 *
 * @returns the format
 * @throws FormatError when the extension is unknown or the picture too large for its format.
 */
export function checkFormat(file: string, width: number, height: number): Format {
  const format = formatOf(file);
  checkSize(format, file, width, height);
  return format;
}

/** @throws FormatError when a picture of this size is too large for the format. */
export function checkSize(format: Format, file: string, width: number, height: number): void {
  const { label, side } = limits[format];
  if (Math.max(width, height) > side) {
    throw new FormatError(
      `${file}: expected sides of at most ${side} pixels in ${label}, got ${width}x${height}. Write PNG or TIFF instead.`,
    );
  }
}

/** The usual extension of a format. */
export function extensionOf(format: Format): string {
  return { png: '.png', jpeg: '.jpg', webp: '.webp', tiff: '.tif', avif: '.avif', gif: '.gif' }[
    format
  ];
}
