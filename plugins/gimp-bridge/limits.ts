/** @file What bounds a client of the service, however it behaves. */
import { totalmem } from 'node:os';
import { DeviceError, ShapeError } from 'osediff';
import { type Job, longestLine } from './protocol.ts';

/** Bounds of a service; times in ms. */
export interface Limits {
  /** Pixels of a result. @default one for each 96 bytes of memory */
  readonly outputPixels: number;
  /** Bytes of submitted pixels that are kept at a time. @default an eighth of the memory */
  readonly heldBytes: number;
  /** Jobs under way and waiting. @default 16 */
  readonly jobs: number;
  /** Open connections; more are closed at once. @default 64 */
  readonly connections: number;
  /** For the head of a request. @default 5 s */
  readonly head: number;
  /** For a whole request. @default 60 s */
  readonly request: number;
  /** In which a client takes a portion of the result. @default 30 s */
  readonly patience: number;
}

/** The bounds that suit this machine. */
export function usualLimits(): Limits {
  return {
    outputPixels: Math.floor(totalmem() / 96),
    heldBytes: Math.floor(totalmem() / 8),
    jobs: 16,
    connections: 64,
    head: 5_000,
    request: 60_000,
    patience: 30_000,
  };
}

/** Counts what jobs hold. */
export class Room {
  readonly #limits: Limits;
  #jobs = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Jobs that are here: read, waiting or under way. */
  get jobs(): number {
    return this.#jobs;
  }

  /**
   * Takes room for a job, before a byte of it is read.
   *
   * @returns gives the room back
   * @throws ShapeError when it would never fit, DeviceError when it does not fit now
   */
  take(bytes: number): () => void {
    const { heldBytes, jobs } = this.#limits;
    if (bytes > heldBytes + longestLine) {
      throw new ShapeError(
        `job: expected at most ${heldBytes} bytes of pixels on this machine, got ${bytes}. Upscale a part of the picture.`,
      );
    }
    if (this.#jobs >= jobs || (this.#jobs > 0 && this.#bytes + bytes > heldBytes)) {
      throw new DeviceError(
        `service: expected room for one more job, got ${this.#jobs} already. Try again when they are done.`,
      );
    }
    this.#jobs++;
    this.#bytes += bytes;
    return () => {
      this.#jobs--;
      this.#bytes -= bytes;
    };
  }

  /** @throws ShapeError when the result would be too large */
  checkResult({ width, height, scale }: Job): void {
    const { outputPixels } = this.#limits;
    const pixels = Math.round(width * scale) * Math.round(height * scale);
    if (pixels <= outputPixels) return;
    throw new ShapeError(
      `job: expected a result of at most ${megapixels(outputPixels)} megapixels on this machine, got ${megapixels(pixels)}. Choose a smaller scale or a part of the picture.`,
    );
  }
}

function megapixels(pixels: number): string {
  return (pixels / 1e6).toFixed(pixels < 1e7 ? 1 : 0);
}
