/** @file The command lines of the two ends: a film to raw frames, and raw frames to one coded segment. */
import type { Encoder } from './codecs.ts';
import { isAtLeast, reads, writes, type Argument, type Ffmpeg, type Running } from './ffmpeg.ts';
import { fromRaw, toRaw, resultRange, type RawFormat } from './pixel-format.ts';
import { onlyThisFile, ratio, type VideoInfo } from './probe.ts';
import type { NutStream } from './nut.ts';

/**
 * Seconds that all times are moved by while frames travel, for films that begin before 0 (which NUT
 * cannot say): a whole number of ticks in every time base in use, 1001/30000 among them.
 */
export function timeShift({ video }: VideoInfo): number {
  return (video.start_pts ?? 0) < 0 ? 1001 : 0;
}

/** Frames keep the times they have. */
function untouchedTimes(ffmpeg: Ffmpeg): string[] {
  return [isAtLeast(ffmpeg, 5, 1) ? '-fps_mode' : '-vsync', 'passthrough'];
}

export interface DecodeOptions {
  readonly deinterlace?: boolean;
  /** Begin at the key frame before this time, in seconds of the file's own clock. */
  readonly from?: number;
  /** Further filters, after the conversion to raw frames. */
  readonly filters?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Decode a film's picture stream to raw frames in NUT, upright, with their exact times. */
export function decode(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  raw: RawFormat,
  { deinterlace = false, from, filters, signal }: DecodeOptions = {},
): Running {
  const shift = timeShift(info);
  // The native VP9 decoder leaves alpha out.
  const alphaDecoder = { vp9: 'libvpx-vp9', vp8: 'libvpx' }[info.video.codec_name ?? ''];
  const args: Argument[] = [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...onlyThisFile,
    '-copyts',
    ...(shift > 0 ? ['-itsoffset', String(shift)] : []),
    ...(from === undefined
      ? []
      : ['-seek_timestamp', '1', '-noaccurate_seek', '-ss', from.toFixed(6)]),
    ...(info.pixels.alpha && alphaDecoder ? ['-c:v', alphaDecoder] : []),
    '-i',
    reads(info.file),
    '-map',
    `0:${info.video.index}`,
    '-vf',
    [
      ...(deinterlace ? ['bwdif=mode=send_frame:parity=auto:deint=all'] : []),
      toRaw(info.pixels, raw),
      ...(filters === undefined ? [] : [filters]),
    ].join(','),
    ...untouchedTimes(ffmpeg),
    '-enc_time_base',
    isAtLeast(ffmpeg, 7, 0) ? 'demux' : '-1',
    '-c:v',
    'rawvideo',
    '-avoid_negative_ts',
    'disabled',
    '-f',
    'nut',
    'pipe:1',
  ];
  return ffmpeg.start('ffmpeg', args, { stdout: true, signal });
}

/** Tags of the source's colours; in the result they mean the same. */
export function colorTags(info: VideoInfo, height: number): string[] {
  const { video, pixels } = info;
  const set = (option: string, value: string | undefined): string[] =>
    value === undefined || ['unknown', 'reserved', 'gbr'].includes(value) ? [] : [option, value];
  // Without a name for the matrix players guess it from the height, which has changed.
  const guessed =
    pixels.model === 'yuv' && !pixels.tagged && pixels.matrix !== 'bt709' && height > 576;
  return [
    ...set('-color_primaries', video.color_primaries),
    ...set('-color_trc', video.color_transfer),
    ...set('-colorspace', guessed ? 'smpte170m' : video.color_space),
    ...(pixels.model === 'rgb' ? [] : set('-color_range', video.color_range)),
  ];
}

/** Encode raw frames, fed as NUT, to a segment: coded frames in NUT. */
export function encode(
  ffmpeg: Ffmpeg,
  info: VideoInfo,
  encoder: Encoder,
  frames: NutStream,
  file: string,
  signal?: AbortSignal,
): Running {
  const convert =
    encoder.pixels === 'pal8'
      ? ['-filter_complex', 'split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1']
      : ['-vf', fromRaw(info.pixels, encoder.pixels)];
  const rgb = /^(gbr|rgb|bgr|pal8)/.test(encoder.pixels);
  const args: Argument[] = [
    '-v',
    'error',
    '-nostdin',
    '-y',
    '-copyts',
    '-f',
    'nut',
    '-i',
    'pipe:0',
    ...convert,
    '-c:v',
    encoder.name,
    ...encoder.args,
    ...rateOptions(encoder, info),
    ...(rgb ? [] : [...colorTags(info, frames.height), '-color_range', resultRange(info.pixels)]),
    ...untouchedTimes(ffmpeg),
    '-enc_time_base',
    frames.timeBase.join('/'),
    '-avoid_negative_ts',
    'disabled',
    '-f',
    'nut',
    writes(file),
  ];
  return ffmpeg.start('ffmpeg', args, { stdin: true, signal });
}

/**
 * Encoders note a rate in their headers. It is the film's in all segments, not what ffmpeg guesses
 * from the frames of one, so that all headers are equal (and SVT-AV1 refuses more than 240).
 */
function rateOptions({ name, args }: Encoder, { video }: VideoInfo): string[] {
  const rate = Math.min(240, ratio(video.avg_frame_rate) || ratio(video.r_frame_rate) || 25);
  const num = Math.max(1, Math.round(rate * 1000));
  if (name === 'libsvtav1') return ['-svtav1-params', `fps-num=${num}:fps-denom=1000`];
  const option = { libx264: '-x264-params', libx265: '-x265-params' }[name];
  if (option === undefined) return [];
  // Given twice, the last one counts: what the encoder has already comes along.
  const before = args[args.indexOf(option) + 1];
  return [option, [...(args.includes(option) ? [before] : []), `fps=${num}/1000`].join(':')];
}
