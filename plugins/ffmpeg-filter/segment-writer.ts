/** @file One segment of a film on its way through the encoder to the work folder. */
import { stat } from 'node:fs/promises';
import { feed, finish, type Running } from './ffmpeg.ts';
import { frameHash } from './job.ts';
import { nutFrameHead, nutHeader, type NutFrame, type NutStream } from './nut.ts';
import { encode } from './transcode.ts';
import type { Work } from './video.ts';

/** Milliseconds between two looks at the file's size. */
const pause = 500;

/** Writes frames to a segment; it counts only once `finish` has resolved. */
export class SegmentWriter {
  readonly #work: Work;
  readonly #index: number;
  readonly #encoder: Running;
  #first: number | undefined;
  #last: NutFrame | undefined;
  #size = { at: Number.NEGATIVE_INFINITY, bytes: 0 };
  frames = 0;

  constructor(work: Work, stream: NutStream, index: number) {
    const { ffmpeg, info, encoder, job, options } = work;
    this.#work = work;
    this.#index = index;
    this.#encoder = encode(ffmpeg, info, encoder, stream, job.partFile(index), options.signal);
    this.#encoder.stdin!.write(nutHeader(stream));
  }

  /** @param source the frame before upscaling */
  async write(source: NutFrame, result: Uint8Array): Promise<void> {
    await feed(this.#encoder, nutFrameHead(source.pts, result.length));
    await feed(this.#encoder, result);
    this.#first ??= source.pts;
    this.#last = source;
    this.frames++;
  }

  /** Bytes in the file so far. */
  async bytes(): Promise<number> {
    const now = performance.now();
    if (now - this.#size.at > pause) {
      const file = this.#work.job.partFile(this.#index);
      const bytes = await stat(file).then(
        ({ size }) => size,
        () => 0,
      );
      this.#size = { at: now, bytes };
    }
    return this.#size.bytes;
  }

  /** Wait for the encoder and keep the segment. @returns its bytes */
  async finish(): Promise<number> {
    await finish(this.#encoder);
    const { size } = await stat(this.#work.job.partFile(this.#index));
    await this.#work.job.keep(this.#index, {
      frames: this.frames,
      firstPts: this.#first!,
      lastPts: this.#last!.pts,
      lastFrame: frameHash(this.#last!.data),
    });
    return size;
  }

  kill(): void {
    this.#encoder.kill();
  }
}
