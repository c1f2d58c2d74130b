/** @file What encoders that take a picture row by row have in common. */
import type { PictureMetadata } from './metadata.ts';
import type { Channels } from './picture.ts';

/** The picture whose rows follow. */
export interface RowsHeader {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly bits: 8 | 16;
  readonly metadata: PictureMetadata;
}

/** An encoder that holds a band of the picture at most. */
export interface RowWriter {
  /** Whole rows, from the top; the samples are not needed after the promise. */
  write(rows: Uint8Array | Uint16Array): Promise<void>;
  /** The last row was written. */
  end(): Promise<void>;
}
