/** @file The frames of a film that are still to be done: from the start, or from where the work stopped. */
import { FormatError } from 'osediff';
import type { Running } from './ffmpeg.ts';
import { frameHash, type Segment } from './job.ts';
import { readNut } from './nut-read.ts';
import type { NutFrame, NutStream } from './nut.ts';
import { decode, timeShift } from './transcode.ts';
import type { Work } from './video.ts';

export interface Source {
  /** Header of the raw frames. */
  readonly stream: NutStream;
  readonly frames: AsyncIterable<NutFrame>;
  /** Seconds that the frames' times are moved by. */
  readonly shift: number;
  /** What the decoder complained about. */
  complaint(): string;
  close(): void;
}

/**
 * Open a film for the frames after those that are done.
 *
 * To go on, the decoder starts at the key frame before; that the next frame is the right one is
 * proved by the last done frame, whose time and hash must be met. Where they are not (some files
 * cannot be sought exactly), the film is decoded from its start.
 */
export async function openSource(
  work: Pick<Work, 'ffmpeg' | 'info' | 'raw' | 'options'>,
  done: readonly Segment[],
): Promise<Source> {
  const { info, options } = work;
  const shift = timeShift(info);
  const { start, end, signal, deinterlace = false } = options;
  const first = start === undefined ? undefined : info.start + start;
  const last = end === undefined ? undefined : info.start + end;
  let decoder: Running | undefined;
  let closed = false;
  const begin = async (from?: number): Promise<Awaited<ReturnType<typeof readNut>>> => {
    decoder?.kill();
    decoder = decode(work.ffmpeg, info, work.raw, {
      deinterlace,
      ...(from !== undefined && { from }),
      signal,
    });
    try {
      return await readNut(decoder.stdout!);
    } catch (error) {
      await decoder.ended; // says more, if it failed
      throw error;
    }
  };

  const before = done.at(-1);
  let opened = await begin(first);
  const { stream } = opened;
  const seconds = (pts: number): number => (pts * stream.timeBase[0]) / stream.timeBase[1] - shift;
  if (before) opened = await begin(seconds(before.lastPts));

  /** The frames after the last done one; undefined when that one was not met. */
  async function* after(
    { frames }: typeof opened,
    { lastPts, lastFrame }: Segment,
  ): AsyncGenerator<NutFrame, boolean> {
    let met = false;
    for await (const frame of frames) {
      if (frame.pts === lastPts) met = frameHash(frame.data) === lastFrame;
      if (frame.pts < lastPts || frame.pts === lastPts) continue;
      if (!met) return false;
      yield frame;
    }
    return met;
  }

  async function* rest(): AsyncGenerator<NutFrame> {
    if (!before) yield* opened.frames;
    else if (!(yield* after(opened, before))) {
      if (!(yield* after(await begin(first), before))) {
        throw new FormatError(
          `${info.file}: expected the frames that the work was begun with, got others. Begin anew with --overwrite.`,
        );
      }
    }
    if (!closed) await decoder!.ended;
  }

  async function* wanted(): AsyncGenerator<NutFrame> {
    for await (const frame of rest()) {
      const time = seconds(frame.pts);
      if (first !== undefined && time < first - 1e-6) continue;
      if (last !== undefined && time >= last - 1e-6) {
        closed = true;
        decoder!.kill();
        return;
      }
      yield frame;
    }
  }

  return {
    stream,
    frames: wanted(),
    shift,
    complaint: () => decoder!.words(),
    close: () => {
      closed = true;
      decoder!.kill();
    },
  };
}
