/** @file Joins finished segments with all that is kept of the source, coding nothing again. */
import { feed, finish, isAtLeast, reads, writes, type Argument, type Ffmpeg } from './ffmpeg.ts';
import { nutFrameHead, nutHeader, type NutFrame, type NutStream } from './nut.ts';
import { onlyThisFile, type ProbedStream, type VideoInfo } from './probe.ts';
import { colorTags, timeShift } from './transcode.ts';

export interface JoinOptions {
  /** Seconds of the source's clock that become 0, for a part of a film. */
  readonly from?: number;
  /** Seconds that the part lasts. */
  readonly length?: number;
  /** Streams of the source that are left out, by index. */
  readonly without?: ReadonlySet<number>;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of coded frames that were written. */
  readonly onProgress?: (bytes: number) => void;
}

/** Tags that count the source's bytes, false for the result. */
const statistics = /^(BPS|DURATION|NUMBER_OF_(FRAMES|BYTES)|_STATISTICS_.*|rotate)(-\w+)?$/;

/** Containers whose time scale can be that of the source. */
const timescaled = /\.(mp4|m4v|mov)$/i;

/**
 * Write the result: coded frames, and every other stream, chapter, tag and attachment of the source,
 * in the source's order.
 */
export async function join(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  { stream, frames }: { stream: NutStream; frames: AsyncIterable<NutFrame> },
  output: string,
  { from, length, without, signal, onProgress }: JoinOptions = {},
): Promise<void> {
  const shift = timeShift(info) + (from ?? 0);
  const part = from !== undefined;
  const args: Argument[] = [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...(part ? [] : ['-copyts']),
    ...(!part && shift > 0 ? ['-itsoffset', String(-shift)] : []),
    '-f',
    'nut',
    '-i',
    'pipe:0',
    ...onlyThisFile,
    ...(part
      ? ['-ss', from.toFixed(6), ...(length === undefined ? [] : ['-t', length.toFixed(6)])]
      : []),
    '-i',
    reads(info.file),
    ...mapping(info, without),
    '-map_metadata',
    '1',
    '-map_chapters',
    '1',
    '-c',
    'copy',
    ...colorTags(info, stream.height).map((word, i) =>
      i % 2 === 0 ? `${word}:v:${mainIndex(info, without)}` : word,
    ),
    // Apple's players want the parameter sets in the header only, as this tag says.
    ...(timescaled.test(output) && stream.fourcc === 'HEVC'
      ? [`-tag:v:${mainIndex(info, without)}`, 'hvc1']
      : []),
    // All results are of whole pictures; containers would not know.
    ...(info.interlaced || info.video.field_order === 'progressive'
      ? [`-field_order:v:${mainIndex(info, without)}`, 'progressive']
      : []),
    ...(timescaled.test(output) ? ['-video_track_timescale', String(stream.timeBase[1])] : []),
    // The sound before the first picture is left out, though its container is sought by pictures.
    ...(part ? ['-copypriorss', '0'] : containerOptions(ffmpeg, info, output, without)),
    '-max_interleave_delta',
    '0',
    writes(output),
  ];
  const child = ffmpeg.start('ffmpeg', args, { stdin: true, signal });
  try {
    await feed(child, nutHeader(stream));
    let bytes = 0;
    for await (const { pts, key, data } of frames) {
      await feed(child, nutFrameHead(pts, data.length, key));
      await feed(child, data);
      onProgress?.((bytes += data.length));
    }
    await finish(child);
  } finally {
    child.kill();
  }
}

/** Options by which containers leave times as they are. */
function containerOptions(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  output: string,
  without?: ReadonlySet<number>,
): string[] {
  if (/\.m?2?ts$/i.test(output)) return ['-muxdelay', '0', '-muxpreload', '0'];
  // What comes from Matroska has no times below 0 other than by Opus' delay.
  const both = /\.(mkv|webm)$/i.test(output) && info.format.startsWith('matroska');
  if (!both) return [];
  const delayed = isAtLeast(ffmpeg, 7, 0) ? [] : info.streams.filter(isDelayed);
  return [
    '-avoid_negative_ts',
    'disabled',
    ...delayed.flatMap(({ index, start_pts }) => {
      const place = kept(info, without).findIndex((stream) => stream.index === index);
      return place < 0 ? [] : [`-bsf:${place}`, `setts=ts=TS+${-start_pts!}`];
    }),
  ];
}

/** Opus in Matroska begins before 0 by its delay, which old versions read but do not write. */
function isDelayed({ codec_name, start_pts = 0 }: ProbedStream): boolean {
  return codec_name === 'opus' && start_pts < 0;
}

/** The source's streams in their order, the result's picture in the place of the source's. */
function mapping(info: VideoInfo, without?: ReadonlySet<number>): string[] {
  const { video } = info;
  const streams = kept(info, without);
  return [
    ...streams.flatMap(({ index }) => ['-map', index === video.index ? '0:v:0' : `1:${index}`]),
    // Once one stream's tags are mapped, all must be.
    ...streams.flatMap(({ index }, place) => [`-map_metadata:s:${place}`, `1:s:${index}`]),
    ...streams.flatMap((stream, place) => (stream === video ? mainTags(stream, place) : [])),
  ];
}

function kept({ streams, video }: VideoInfo, without?: ReadonlySet<number>): ProbedStream[] {
  return streams.filter(({ index }) => index === video.index || without?.has(index) !== true);
}

/** Among the result's picture streams, which one is ours (cover art may come before it). */
function mainIndex(info: VideoInfo, without?: ReadonlySet<number>): number {
  return kept(info, without).filter(
    ({ index, codec_type }) => codec_type === 'video' && index < info.video.index,
  ).length;
}

function mainTags({ tags = {}, disposition = {} }: ProbedStream, place: number): string[] {
  const set = Object.keys(disposition).filter((name) => disposition[name] === 1);
  return [
    ...Object.keys(tags)
      .filter((name) => statistics.test(name) || name.toLowerCase() === 'encoder')
      .flatMap((name) => [`-metadata:s:${place}`, `${name}=`]),
    `-disposition:${place}`,
    set.length > 0 ? set.join('+') : '0',
  ];
}
