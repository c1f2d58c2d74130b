/** @file The size of a result: from a scale, a width, a height or megapixels, exact to the pixel. */
import { UsageError } from '../tensor/errors.ts';

/** What is asked for; at most one kind. Without any, the scale is 4. */
export interface SizeChoice {
  /** Output size over input size. */
  readonly scale?: number;
  /** Output pixels. With only one of width and height, the other follows from the picture's shape. */
  readonly width?: number;
  readonly height?: number;
  /** Output size in millions of pixels; the shape is kept. */
  readonly megapixels?: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How far a width and a height may be from the picture's shape, as a share: rounding, not squeezing. */
const mostDistortion = 0.02;
const mostScale = 16;

/**
 * The exact size of a result: `round(size * scale)` and at least one pixel, or what is asked for.
 *
 * @throws UsageError when kinds are mixed, when the scale is not a number above 0, up to 16, or when
 *   width and height together would squeeze the picture
 */
export function outputSize(input: Size, choice: SizeChoice): Size {
  const { scale = 4, width, height, megapixels } = choice;
  checkChoice(choice);
  if (width !== undefined && height !== undefined) {
    const shape = (width / height) * (input.height / input.width);
    if (
      Math.abs(Math.log(shape)) > mostDistortion &&
      Math.abs(width - height * (input.width / input.height)) > 1
    ) {
      const [w, h] = [height * (input.width / input.height), width * (input.height / input.width)];
      throw new UsageError(
        `size: expected the shape of ${input.width}x${input.height}, got ${width}x${height}. ` +
          `Take ${width}x${Math.round(h)} or ${Math.round(w)}x${height}, or only one of them.`,
      );
    }
    return checked(input, { width, height });
  }
  const factor =
    width !== undefined
      ? width / input.width
      : height !== undefined
        ? height / input.height
        : megapixels !== undefined
          ? Math.sqrt((megapixels * 1e6) / (input.width * input.height))
          : scale;
  const side = (size: number): number => Math.max(1, Math.round(size * factor));
  return checked(input, {
    width: width ?? side(input.width),
    height: height ?? side(input.height),
  });
}

function checkChoice({ scale, width, height, megapixels }: SizeChoice): void {
  if (scale !== undefined && !(scale > 0 && scale <= mostScale)) {
    throw new UsageError(`scale: expected a number above 0 and up to ${mostScale}, got ${scale}.`);
  }
  const kinds = [scale, width ?? height, megapixels].filter((value) => value !== undefined);
  if (kinds.length > 1) {
    throw new UsageError('size: expected a scale, or pixels, or megapixels, got more than one.');
  }
  for (const value of [width, height]) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new UsageError(`size: expected whole pixels from 1 up, got ${value}.`);
    }
  }
  if (megapixels !== undefined && !(megapixels > 0 && megapixels < Infinity)) {
    throw new UsageError(`megapixels: expected a number above 0, got ${megapixels}.`);
  }
}

function checked(input: Size, size: Size): Size {
  const factor = Math.max(size.width / input.width, size.height / input.height);
  // Rounding to whole pixels may pass the limit by less than one of them.
  if (
    factor > mostScale &&
    Math.max(size.width - mostScale * input.width, size.height - mostScale * input.height) > 1
  ) {
    throw new UsageError(
      `size: expected at most ${mostScale} times ${input.width}x${input.height}, got ${size.width}x${size.height}.`,
    );
  }
  return size;
}

/** What a size is called in a file's name: `x4`, `1920w`, `1080h`, `1920x1080`, `8mp`. */
export function sizeLabel({ scale = 4, width, height, megapixels }: SizeChoice): string {
  if (width !== undefined) return height === undefined ? `${width}w` : `${width}x${height}`;
  if (height !== undefined) return `${height}h`;
  return megapixels === undefined ? `x${scale}` : `${megapixels}mp`;
}
