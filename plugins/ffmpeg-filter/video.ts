/** @file Upscales a film: decode, model and encode overlap, finished segments survive anything, the rest is kept. */
import { constants } from 'node:fs';
import { access, open, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { FormatError, PathError, UsageError, type Picture, type Upscaler } from 'osediff';
import { CellUpscaler, type CellCount, type CellOptions } from './cells.ts';
import { chooseEncoder, type EncodeChoice, type Encoder } from './codecs.ts';
import { checkEnding, checkRoom, leftOut, tryContainer, type StreamKind } from './container.ts';
import type { Ffmpeg } from './ffmpeg.ts';
import { inOrder } from './in-order.ts';
import { fingerprint, joined, openJob, type Job, type Settings } from './job.ts';
import { join } from './join.ts';
import type { NutFrame, NutStream } from './nut.ts';
import { rawFormat, type RawFormat } from './pixel-format.ts';
import { probeVideo, type VideoInfo } from './probe.ts';
import { SegmentWriter } from './segment-writer.ts';
import { openSource, type Source } from './source.ts';
import { Calmer } from './temporal.ts';

/** What is known before the work begins. */
export interface VideoPlan {
  readonly input: string;
  readonly output: string;
  /** Of the result. */
  readonly width: number;
  readonly height: number;
  readonly encoder: string;
  /** About how many frames there are; undefined where the file does not say. */
  readonly frames: number | undefined;
  /** Frames done by an earlier run. */
  readonly resumed: number;
}

export interface VideoProgress {
  /** Frames through, earlier runs included. */
  readonly done: number;
  readonly frames: number | undefined;
  /** Bytes of coded frames on disk. */
  readonly bytes: number;
}

export interface VideoListener {
  onPlanned?(plan: VideoPlan): void;
  onProgress?(progress: VideoProgress): void;
  /** Something the user should know; the work goes on. */
  onNote?(text: string): void;
}

export interface VideoOptions extends EncodeChoice {
  readonly output: string;
  readonly scale: number;
  /** Loads the model; called when the first frame needs it. */
  readonly load: () => Promise<Upscaler>;
  /** How frames are upscaled: see `CellOptions`. */
  readonly cells: Omit<CellOptions, 'scale'>;
  /** How strongly still areas are calmed, 0 to 1. @default 0 */
  readonly calm?: number;
  /** What distinguishes the model and its settings, for `--resume`. */
  readonly modelKey: string;
  /** Seconds from the beginning of the film. */
  readonly start?: number;
  readonly end?: number;
  /** Frames in a segment. */
  readonly segment: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly deinterlace?: boolean;
  readonly leaveOut?: ReadonlySet<StreamKind>;
  /** Go on although the result cannot hold everything. */
  readonly acceptLoss?: boolean;
  readonly listener?: VideoListener;
  readonly signal?: AbortSignal | undefined;
}

export interface VideoResult extends CellCount {
  readonly output: string;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Frames that are under way at a time: one in the model, one ready for it, one being written. */
const ahead = 3;
/** Pixels of a result that WebAssembly's 2 GiB of memory suffice for (measured with x264). */
const wasmPixels = 4096 * 2304;

/**
 * Upscale a film to a film.
 *
 * @throws UsageError before any work for what the result cannot hold; FormatError for what is no video;
 *   PathError when the result exists or has no room; the signal's reason, finished segments kept
 */
export async function upscaleVideo(
  ffmpeg: Ffmpeg,
  input: string,
  options: VideoOptions,
): Promise<VideoResult> {
  const begin = performance.now();
  const { output, signal, listener = {}, scale } = options;
  let source: Source | undefined;
  let job: Job | undefined;
  try {
    const info = await probeVideo(ffmpeg, input, signal);
    await check(ffmpeg, info, options);
    const encoder = await chooseEncoder(ffmpeg, info, options);
    const existing = options.resume ? 'resume' : options.overwrite ? 'discard' : 'refuse';
    job = await openJob(output, await settingsOf(input, encoder, options), existing);
    const without = leftOut(info, options.leaveOut ?? new Set());
    const work = { ffmpeg, info, encoder, job, options, raw: rawFormat(info.pixels) };
    source = await openSource(work, job.done);
    await prepare(work, source, without);
    const planned = info.frames ?? undefined;
    listener.onPlanned?.({
      input,
      output,
      width: info.width * scale,
      height: info.height * scale,
      encoder: encoder.name,
      frames: planned,
      resumed: framesOf(job),
    });
    const count = await upscaleFrames(work, source);
    const frames = framesOf(job);
    if (frames === 0) {
      throw new UsageError(`${input}: expected frames between --start and --end, got none.`);
    }
    await finish(work, source, without);
    const { size } = await stat(output);
    const seconds = (performance.now() - begin) / 1000;
    const { width, height } = info;
    return {
      output,
      frames,
      width: width * scale,
      height: height * scale,
      bytes: size,
      seconds,
      ...count,
    };
  } catch (error) {
    // Nothing to go on with: nothing stays behind.
    if (job?.done.length === 0) await job.remove();
    signal?.throwIfAborted();
    throw error;
  } finally {
    source?.close();
  }
}

/** All that a run works with. */
export interface Work {
  readonly ffmpeg: Ffmpeg;
  readonly info: VideoInfo;
  readonly encoder: Encoder;
  readonly job: Job;
  readonly options: VideoOptions;
  readonly raw: RawFormat;
}

async function check(ffmpeg: Ffmpeg, info: VideoInfo, options: VideoOptions): Promise<void> {
  const { output, overwrite = false, scale, deinterlace = false } = options;
  checkEnding(output);
  if (path.resolve(output) === path.resolve(info.file)) {
    throw new UsageError(`${output}: expected another name than the input's. Choose one.`);
  }
  if (!overwrite && (await exists(output))) {
    throw new PathError(
      `${output}: expected no such file yet, got one. Give --overwrite or another name.`,
    );
  }
  await access(path.dirname(path.resolve(output)), constants.W_OK).catch((cause: unknown) => {
    throw new PathError(
      `${path.dirname(output)}: expected a folder that may be written, got none. Create it or take another.`,
      { cause },
    );
  });
  if (info.interlaced && !deinterlace) {
    throw new UsageError(
      `${info.file}: expected whole pictures, got interlaced ones. Give --deinterlace.`,
    );
  }
  const pixels = info.width * info.height * scale * scale;
  if (ffmpeg.kind === 'wasm' && pixels > wasmPixels) {
    throw new UsageError(
      `${output}: expected at most ${wasmPixels} pixels from the built-in ffmpeg, got ${info.width * scale}x${info.height * scale}. Install ffmpeg.`,
    );
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function settingsOf(
  input: string,
  { name, args, pixels }: Encoder,
  options: VideoOptions,
): Promise<Settings> {
  const { scale, modelKey, start, end, segment, deinterlace, cells, calm } = options;
  const { still, cell, overlap } = cells;
  return {
    input: await fingerprint(input),
    scale,
    model: modelKey,
    codec: [name, ...args, pixels].join(' '),
    start: start ?? 0,
    end: end ?? -1,
    segment,
    deinterlace: deinterlace ?? false,
    calm: calm ?? 0,
    cells: [still ?? 0, cell ?? 0, overlap ?? 0].join(' '),
  };
}

/** Says what is lost, and refuses it unless that is wanted; checks the disk. */
async function prepare(work: Work, source: Source, without: ReadonlySet<number>): Promise<void> {
  const { ffmpeg, info, encoder, job, options } = work;
  const { output, acceptLoss = false, listener = {}, signal, scale } = options;
  const frames = resultStream(source.stream, scale);
  const lost = [
    ...encoder.lost,
    ...(await tryContainer(ffmpeg, info, encoder, frames, {
      output,
      folder: job.folder,
      without,
      signal,
    })),
  ];
  const words = `${output}: cannot hold ${lost.join(', ')}`;
  if (lost.length > 0 && !acceptLoss) {
    throw new UsageError(
      `${words}. Take .mkv or another codec, --leave-out the streams, or --accept-loss.`,
    );
  }
  if (lost.length > 0) listener.onNote?.(words);
  if (
    frames.height > 576 &&
    info.height <= 576 &&
    info.pixels.model === 'yuv' &&
    !info.pixels.tagged
  ) {
    listener.onNote?.(
      'The source names no colour matrix: BT.601, as its size says; the result names it.',
    );
  }
  const pixels = (info.frames ?? 0) * frames.width * frames.height;
  await checkRoom(job.folder, 2 * pixels * encoder.bytesPerPixel + info.bytes);
}

function resultStream(stream: NutStream, scale: number): NutStream {
  return { ...stream, width: stream.width * scale, height: stream.height * scale, decodeDelay: 0 };
}

function framesOf({ done }: Job): number {
  return done.reduce((sum, { frames }) => sum + frames, 0);
}

/** Runs all frames that are not done yet through the model. */
async function upscaleFrames(work: Work, source: Source): Promise<CellCount> {
  const { info, options, job, raw } = work;
  const { scale, cells, listener = {}, signal, calm = 0 } = options;
  // Frames of a GIF build on those before, across segments too.
  const length = work.encoder.name === 'gif' ? Infinity : options.segment;
  let done = framesOf(job);
  let segments = job.done.length;
  let upscaler: Promise<Upscaler> | undefined;
  let frames: CellUpscaler | undefined;
  const calmer = calm > 0 ? new Calmer(calm, scale) : undefined;
  const begin = async (
    frame: NutFrame,
    index: number,
  ): Promise<{ frame: NutFrame; input: Picture; picture: Picture }> => {
    upscaler ??= options.load();
    const upscale = { ...cells.upscale, ...(signal && { signal }) };
    frames ??= new CellUpscaler(await upscaler, info.width, info.height, {
      ...cells,
      upscale,
      scale,
    });
    // What depends on frames before begins anew with a segment, so that a resumed film is the same.
    if (index % length === 0 && typeof cells.still === 'number' && cells.still > 0) frames.reset();
    const input = pictureOf(frame, info, raw);
    return { frame, input, picture: await frames.push(input) };
  };
  let kept = await job.bytes(); // of finished segments
  const writers = new Set<SegmentWriter>();
  let writer: SegmentWriter | undefined;
  let finishing: Promise<void> = Promise.resolve();
  try {
    for await (const { frame, input, picture } of inOrder(source.frames, begin, ahead)) {
      if (!writer) {
        writer = new SegmentWriter(work, resultStream(source.stream, scale), segments++);
        writers.add(writer);
        calmer?.reset();
      }
      const result = calmer ? calmer.next(input, picture) : picture;
      await writer.write(frame, bytesOf(result));
      listener.onProgress?.({
        done: ++done,
        frames: info.frames,
        bytes: kept + (await writer.bytes()),
      });
      if (writer.frames === length) {
        await finishing; // at most two encoders at a time
        const full = writer;
        finishing = full.finish().then((bytes) => {
          kept += bytes;
          writers.delete(full);
        });
        finishing.catch(() => undefined); // thrown where it is awaited
        writer = undefined;
      }
    }
    await finishing;
    await writer?.finish();
  } finally {
    for (const each of writers) each.kill();
    await upscaler?.then((loaded) => loaded.dispose()).catch(() => undefined);
  }
  return frames?.count ?? { computed: 0, reused: 0 };
}

function pictureOf({ data }: NutFrame, { width, height }: VideoInfo, raw: RawFormat): Picture {
  const { channels, bytes } = raw;
  if (data.length !== width * height * channels * bytes) {
    throw new FormatError(
      `frames: expected ${width}x${height} throughout, got another size. Cut the film where it changes.`,
    );
  }
  const samples =
    bytes === 1
      ? new Uint8Array(data.buffer, data.byteOffset, data.length)
      : new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  return { width, height, channels, data: samples };
}

function bytesOf({ data }: Picture): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Joins the segments and gives the result its name. */
async function finish(
  { ffmpeg, info, job, options }: Work,
  source: Source,
  without: ReadonlySet<number>,
): Promise<void> {
  const { output, signal, listener = {}, start, end } = options;
  const part = path.join(job.folder, `result${path.extname(output)}`);
  const coded = await joined(job);
  if (start !== undefined || end !== undefined) {
    const { firstPts } = job.done[0]!;
    const [num, den] = coded.stream.timeBase;
    const from = (firstPts * num) / den - source.shift;
    const length = end === undefined ? {} : { length: info.start + end - from };
    const frames = shifted(coded.frames, firstPts);
    await join(ffmpeg, info, { ...coded, frames }, part, { from, ...length, without, signal });
  } else await join(ffmpeg, info, coded, part, { without, signal });
  if (source.complaint()) listener.onNote?.(`The source is damaged: ${source.complaint()}.`);
  const handle = await open(part, 'r+');
  await handle.sync();
  await handle.close();
  await rename(part, output);
  await job.remove();
}

async function* shifted(frames: AsyncIterable<NutFrame>, by: number): AsyncGenerator<NutFrame> {
  for await (const frame of frames) yield { ...frame, pts: frame.pts - by };
}
