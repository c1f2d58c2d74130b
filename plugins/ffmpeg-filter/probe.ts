/** @file What ffprobe says about a file, checked: the picture stream to upscale and all that must be kept. */
import { FormatError, OsediffError, UsageError } from 'osediff';
import { collect, reads, type Argument, type Ffmpeg } from './ffmpeg.ts';
import { pixelFormat, type PixelFormat } from './pixel-format.ts';

/** Containers that hold their own streams. Playlists and lists, which name other files, are not here. */
const containers =
  'matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,gif,apng,nut,mpegts,mpeg,flv,asf,ogg,ivf,h264,hevc,' +
  'obu,m4v,mpegvideo,mjpeg,mxf,dv,yuv4mpegpipe,wtv,rm';

/** Input options that keep ffmpeg to the one file it was given. */
export const onlyThisFile: readonly string[] = [
  '-protocol_whitelist',
  'file,pipe',
  '-format_whitelist',
  containers,
];

/** A stream as ffprobe prints it. */
export interface ProbedStream {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly codec_tag_string?: string;
  readonly profile?: string;
  readonly width?: number;
  readonly height?: number;
  readonly pix_fmt?: string;
  readonly sample_aspect_ratio?: string;
  readonly field_order?: string;
  readonly color_range?: string;
  readonly color_space?: string;
  readonly color_transfer?: string;
  readonly color_primaries?: string;
  readonly time_base: string;
  readonly start_pts?: number;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly nb_frames?: string;
  readonly duration?: string;
  readonly bit_rate?: string;
  readonly disposition?: Readonly<Record<string, number>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly side_data_list?: readonly Readonly<Record<string, unknown>>[];
}

interface Probed {
  readonly streams?: readonly ProbedStream[];
  readonly chapters?: readonly unknown[];
  readonly format?: {
    readonly format_name: string;
    readonly start_time?: string;
    readonly duration?: string;
    readonly size?: string;
    readonly tags?: Readonly<Record<string, string>>;
  };
  readonly frames?: readonly ProbedFrame[];
}

interface ProbedFrame {
  readonly interlaced_frame?: number;
  readonly side_data_list?: readonly Readonly<Record<string, unknown>>[];
}

/** A film to upscale. */
export interface VideoInfo {
  readonly file: string;
  /** The demuxer's name, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  readonly streams: readonly ProbedStream[];
  readonly chapters: number;
  /** The stream that is upscaled. */
  readonly video: ProbedStream;
  /** As shown: after rotation. */
  readonly width: number;
  readonly height: number;
  readonly pixels: PixelFormat;
  readonly interlaced: boolean;
  /** When the file begins, in seconds of its own clock. */
  readonly start: number;
  /** Seconds; undefined where the file does not say. */
  readonly duration: number | undefined;
  /** About how many frames there are; undefined where the file does not say. */
  readonly frames: number | undefined;
  /** HDR10's static metadata, of the first frame. */
  readonly hdr: Hdr | undefined;
  readonly bytes: number;
}

/** Side data of HDR10, as ffprobe prints it: fractions as text. */
export interface Hdr {
  readonly mastering?: Readonly<Record<string, unknown>>;
  readonly light?: Readonly<Record<string, unknown>>;
}

/**
 * Probe a film.
 *
 * @throws FormatError when it is not a video, has no frame, or names other files; UsageError when this
 *   ffmpeg has no decoder for it
 */
export async function probeVideo(
  ffmpeg: Ffmpeg,
  file: string,
  signal?: AbortSignal,
): Promise<VideoInfo> {
  const probed = await probe(
    ffmpeg,
    file,
    ['-show_streams', '-show_format', '-show_chapters'],
    signal,
  );
  const streams = probed.streams ?? [];
  const video =
    streams.find((s) => isPicture(s) && s.disposition?.['default'] === 1) ??
    streams.find(isPicture);
  if (!video) {
    throw new FormatError(`${file}: expected a video, got a file without a picture stream.`);
  }
  requireDecoder(ffmpeg, file, video);
  const first = ['-select_streams', String(video.index), '-show_frames', '-read_intervals', '%+#1'];
  const frame = (await probe(ffmpeg, file, first, signal)).frames?.[0];
  if (!frame || !(video.width! > 0 && video.height! > 0)) {
    throw new FormatError(`${file}: expected at least one frame, got none that can be decoded.`);
  }
  const turned = Math.abs(rotationOf(video)) % 180 === 90;
  const [width, height] = [video.width!, video.height!];
  const duration = Number(video.duration ?? probed.format?.duration) || undefined;
  const rate = ratio(video.avg_frame_rate) || ratio(video.r_frame_rate);
  const counted = Number(video.nb_frames) || undefined;
  const guessed = duration && rate ? Math.round(duration * rate) : undefined;
  return {
    file,
    format: probed.format?.format_name ?? '',
    streams,
    chapters: probed.chapters?.length ?? 0,
    video,
    width: turned ? height : width,
    height: turned ? width : height,
    pixels: pixelFormat(video, file),
    interlaced:
      frame.interlaced_frame === 1 || ['tt', 'bb', 'tb', 'bt'].includes(video.field_order ?? ''),
    start: Number(probed.format?.start_time) || 0,
    duration,
    frames: counted ?? guessed,
    hdr: hdrOf(frame),
    bytes: Number(probed.format?.size) || 0,
  };
}

/** Run ffprobe on a file. @throws FormatError that names the file and says what is wrong with it */
export async function probe(
  ffmpeg: Ffmpeg,
  file: string,
  show: readonly string[],
  signal?: AbortSignal,
): Promise<Probed> {
  const args: Argument[] = ['-v', 'error', ...onlyThisFile, ...show, '-of', 'json', reads(file)];
  try {
    return JSON.parse(await collect(ffmpeg, 'ffprobe', args, signal)) as Probed;
  } catch (cause) {
    signal?.throwIfAborted();
    const { message } = cause as Error;
    if (/whitelist/.test(message)) {
      throw new FormatError(
        `${file}: expected a file that holds its own streams, got a playlist or another kind that is not read here. Give the video itself.`,
        { cause },
      );
    }
    if (cause instanceof OsediffError || cause instanceof SyntaxError) {
      const words = message.replace(/^ffprobe: expected success, got: (.*)\.$/s, '$1');
      throw new FormatError(`${file}: expected a video, got none (${words}). It may be damaged.`, {
        cause,
      });
    }
    throw cause;
  }
}

function isPicture({ codec_type, disposition }: ProbedStream): boolean {
  return codec_type === 'video' && disposition?.['attached_pic'] !== 1;
}

function requireDecoder({ kind }: Ffmpeg, file: string, { codec_name }: ProbedStream): void {
  if (kind === 'wasm' && codec_name === 'av1') {
    throw new UsageError(
      `${file}: expected a codec that the built-in ffmpeg decodes, got AV1. Install ffmpeg (https://ffmpeg.org/download.html).`,
    );
  }
  if (codec_name === undefined || codec_name === 'unknown') {
    throw new FormatError(`${file}: expected a known video codec, got an unknown one.`);
  }
}

/** Degrees that players turn the picture by. */
function rotationOf({ side_data_list: list = [], tags }: ProbedStream): number {
  const matrix = list.find((data) => data['rotation'] !== undefined);
  return Number(matrix?.['rotation'] ?? tags?.['rotate'] ?? 0) || 0;
}

function hdrOf({ side_data_list: list = [] }: ProbedFrame): Hdr | undefined {
  const named = (name: string): Readonly<Record<string, unknown>> | undefined =>
    list.find((data) => data['side_data_type'] === name);
  const mastering = named('Mastering display metadata');
  const light = named('Content light level metadata');
  if (!mastering && !light) return undefined;
  return { ...(mastering && { mastering }), ...(light && { light }) };
}

/** A fraction such as `30000/1001` as a number; 0 where there is none. */
export function ratio(text: string | undefined): number {
  const [num = 0, den = 1] = (text ?? '').split(/[/:]/).map(Number);
  return den > 0 && num > 0 ? num / den : 0;
}
