/** @file What every kind of file can do: be checked, and be upscaled. */
import type { Upscaler } from '../pipeline/types.ts';
import type { CheckTask, UpscaleTask } from './messages.ts';

/** A file that was read to its end. Sizes in pixels, 0 where they are not known yet. */
export interface Checked {
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Of the content, in hexadecimal. */
  readonly sha256: string;
  /** A text beside it that has its part in the result. */
  readonly caption?: string;
}

/** A result. Sizes in pixels. */
export interface Upscaled {
  readonly width: number;
  readonly height: number;
  /** Where it was computed: `cpu`, `cuda:0`, `webgpu`; unknown for what another program made. */
  readonly device?: string;
}

/** What an upscaling file may ask for. */
export interface Help {
  /** The task's model, loaded. */
  readonly load: () => Promise<Upscaler>;
  /** @param fraction 0 to 1 */
  readonly onProgress: (fraction: number) => void;
}

/** A file that was refused: the file is at fault, and neither the model nor its options. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** What can be done with files of one kind. All of it happens in a worker process. */
export interface Kind {
  /** Reads a file to its end. @throws OsediffError with the reason when it is not whole */
  check(task: CheckTask): Promise<Checked>;
  /**
   * Upscales a file; the result appears whole or not at all.
   *
   * @throws Refused with the reason as its cause; anything else is no fault of the file
   */
  upscale(task: UpscaleTask, help: Help): Promise<Upscaled>;
}
