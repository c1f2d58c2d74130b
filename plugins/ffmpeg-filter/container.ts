/** @file Finds out before the work what the result's container cannot hold, by writing a second of it. */
import { rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { createReadStream } from 'node:fs';
import { PathError, UsageError } from 'osediff';
import type { Encoder } from './codecs.ts';
import { feed, finish, type Ffmpeg } from './ffmpeg.ts';
import { join } from './join.ts';
import { readNut } from './nut-read.ts';
import { nutFrameHead, nutHeader, type NutStream } from './nut.ts';
import { probe, type ProbedStream, type VideoInfo } from './probe.ts';
import { encode } from './transcode.ts';

/** Containers that results are written to, by the ending of the name. */
const endings = /\.(mkv|webm|mp4|m4v|mov|avi|gif|ts|mts|m2ts|nut|mxf|apng)$/i;
/** Of these, those that hold chapters. */
const chaptered = /\.(mkv|webm|mp4|m4v|mov|nut)$/i;
/** Those that count time in whole milliseconds. */
const milliseconds = /\.(mkv|webm)$/i;

/** Kinds of streams that the user may leave out. */
export const streamKinds = ['audio', 'subtitle', 'data', 'attachment', 'cover', 'video'] as const;
export type StreamKind = (typeof streamKinds)[number];

/** @throws UsageError for an ending that names no container */
export function checkEnding(output: string): void {
  if (!endings.test(output)) {
    throw new UsageError(
      `${output}: expected the name of a video, got an unknown ending. Take .mkv, which holds the most, or .mp4, .mov, .webm, .avi or .gif.`,
    );
  }
}

/**
 * Streams that do not go to the result as they are: those the user leaves out, and tracks that
 * muxers write themselves from chapters and timecode tags.
 */
export function leftOut(info: VideoInfo, kinds: ReadonlySet<StreamKind>): Set<number> {
  const out = info.streams.filter(
    (stream) =>
      stream.index !== info.video.index &&
      (kinds.has(kindOf(stream)) ||
        (stream.codec_type === 'data' &&
          (stream.codec_tag_string === 'tmcd' ||
            (stream.codec_tag_string === 'text' && info.chapters > 0)))),
  );
  return new Set(out.map(({ index }) => index));
}

function kindOf({ codec_type, disposition }: ProbedStream): StreamKind {
  if (codec_type === 'video') return disposition?.['attached_pic'] === 1 ? 'cover' : 'video';
  return (codec_type ?? 'data') as StreamKind;
}

/**
 * Encode one frame and write the first second of the result to a file of its own.
 *
 * @param frames the raw frames' header
 * @returns what the container does not hold, in words
 * @throws FormatError when the encoder does not take such frames
 */
export async function tryContainer(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  encoder: Encoder,
  frames: NutStream,
  {
    output,
    folder,
    without,
    signal,
  }: {
    readonly output: string;
    readonly folder: string;
    readonly without: ReadonlySet<number>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<string[]> {
  const segment = path.join(folder, 'trial.part');
  const trial = path.join(folder, `trial${path.extname(output)}`);
  await encodeOne(ffmpeg, info, encoder, frames, segment, signal);
  const attempt = async (left: ReadonlySet<number>): Promise<readonly ProbedStream[] | Error> => {
    try {
      const coded = await readNut(createReadStream(segment));
      await join(ffmpeg, info, coded, trial, {
        from: info.start,
        length: 1,
        without: left,
        signal,
      });
      return (await probe(ffmpeg, trial, ['-show_streams'], signal)).streams ?? [];
    } catch (error) {
      signal?.throwIfAborted();
      return error as Error;
    }
  };
  const kept = info.streams.filter(({ index }) => !without.has(index));
  const whole = await attempt(without);
  const lost: string[] = [];
  if (whole instanceof Error) {
    for (const stream of kept) {
      if (stream === info.video) continue;
      const others = new Set(
        info.streams.map(({ index }) => index).filter((i) => i !== stream.index),
      );
      if ((await attempt(others)) instanceof Error) lost.push(named(stream));
    }
    // Not the fault of one stream alone.
    if (lost.length === 0) lost.push(whole.message.replace(/^ffmpeg: expected success, got: /, ''));
  } else {
    for (const [place, stream] of kept.entries()) {
      const there = whole[place];
      const same = stream === info.video || there?.codec_name === stream.codec_name;
      if (!there || !same) lost.push(named(stream));
    }
  }
  await rm(segment, { force: true });
  await rm(trial, { force: true });
  if (info.chapters > 0 && !chaptered.test(output)) lost.push(`${info.chapters} chapters`);
  const [num, den] = frames.timeBase;
  if (
    milliseconds.test(output) &&
    (1000 * num) % den !== 0 &&
    !milliseconds.test(`.${info.format.split(',')[0] === 'matroska' ? 'mkv' : ''}`)
  ) {
    lost.push(`times finer than a millisecond (the source counts in ${num}/${den} s)`);
  }
  return lost;
}

async function encodeOne(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  encoder: Encoder,
  frames: NutStream,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const child = encode(ffmpeg, info, encoder, frames, file, signal);
  const bytes = Buffer.alloc(frames.width * frames.height * bytesPerPixel(info), 128);
  try {
    await feed(child, nutHeader(frames));
    await feed(child, nutFrameHead(0, bytes.length));
    await feed(child, bytes);
    await finish(child);
  } finally {
    child.kill();
  }
}

function bytesPerPixel({ pixels }: VideoInfo): number {
  const channels = (pixels.model === 'gray' ? 1 : 3) + (pixels.alpha ? 1 : 0);
  return channels * (pixels.depth > 8 ? 2 : 1);
}

function named({ index, codec_type, codec_name, disposition }: ProbedStream): string {
  const kind = disposition?.['attached_pic'] === 1 ? 'cover art' : (codec_type ?? 'stream');
  return `stream ${index} (${kind} ${codec_name ?? 'of unknown codec'})`;
}

/**
 * Check that the segments and the result have room, by estimate.
 *
 * @throws PathError when they have not
 */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes) {
    const gigabytes = (value: number): string => (value / 1e9).toFixed(2);
    throw new PathError(
      `${folder}: expected about ${gigabytes(bytes)} GB of free disk, got ${gigabytes(bavail * bsize)} GB. Free some space, take another disk or a part of the film.`,
    );
  }
}
