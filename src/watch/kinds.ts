/** @file The kinds of files that are taken, each with how it is checked and how it is upscaled. */
import { extname } from 'node:path';
import type { BatchOptions } from '../pipeline/batch.ts';
import { FormatError } from '../tensor/errors.ts';

/** A file that was read to its end. */
export interface Checked {
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Of the content, in hexadecimal. */
  readonly sha256: string;
}

/** A result. Sizes in pixels. */
export interface Upscaled {
  readonly width: number;
  readonly height: number;
}

/** How a file is upscaled: what `upscaleFiles` takes but where it writes. */
export type Manner = Pick<BatchOptions, 'load' | 'upscale' | 'listener'>;

/** What can be done with files of one kind. All of it happens in a worker process. */
export interface Kind {
  /** Reads a file to its end. @throws OsediffError with the reason when it is not whole */
  check(file: string): Promise<Checked>;
  /** Upscales `file` to `result`, which appears whole or not at all. */
  upscale(file: string, result: string, manner: Manner): Promise<Upscaled>;
}

const picture: Kind = {
  async check(file) {
    const { checkPicture } = await import('../pipeline/check-picture.ts');
    return checkPicture(file);
  },
  async upscale(file, result, manner) {
    const { upscaleFiles } = await import('../pipeline/batch.ts');
    let size: Upscaled | undefined;
    let failure: unknown;
    await upscaleFiles([file], {
      ...manner,
      out: result,
      overwrite: true, // what an earlier try may have left under this hidden name
      listener: {
        ...manner.listener,
        onDone: (_, { width, height }) => (size = { width, height }),
        onFailed: (_, error) => (failure = error),
      },
    });
    if (size) return size;
    throw failure;
  },
};

const video: Kind = {
  check: refuseVideo,
  upscale: refuseVideo,
};

async function refuseVideo(file: string): Promise<never> {
  throw new FormatError(
    `${file}: expected a picture, got a video, which this version does not upscale. Extract its frames, or install a version that has "osediff video".`,
  );
}

/** Endings of videos; whatever else there is may be a picture, which its content tells. */
const videoEnding = /^\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m2?ts|mts|wmv|flv|ogv|3gp)$/i;

/** The kind of a file, by its name. */
export function kindOf(file: string): Kind {
  return videoEnding.test(extname(file)) ? video : picture;
}
