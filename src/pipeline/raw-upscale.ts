/** @file Upscales a picture that is too large for memory: decoded rows in one file, the result in another. */
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { FileSink, writeFully } from '../image/byte-sink.ts';
import {
  addMoments,
  momentsOfPicture,
  momentsOfPlanes,
  noMoments,
  statistics,
} from '../image/color-statistics.ts';
import type { ColorKernels } from '../image/color-kernels.ts';
import { convertDepth } from '../image/convert.ts';
import { rowWriter } from '../image/encode.ts';
import type { PictureMetadata } from '../image/metadata.ts';
import { type Channels, type Picture, withAlpha } from '../image/picture.ts';
import type { RowWriter } from '../image/row-writer.ts';
import { vipsWriter } from '../image/vips-file.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Band } from './blend.ts';
import { type Finish, finishReach, finishRows } from './finish.ts';
import { type RawFile, rawRows, readFully, type RowSource } from './rows.ts';
import { outputSize, type Size } from './size.ts';
import type { UpscaleOptions } from './types.ts';

/** What is upscaled from file to file. */
export interface RawTask {
  /** Decoded rows, as sharp writes them into a `.v` file. */
  readonly source: Omit<RawFile, 'fd'> & { readonly file: string };
  readonly target: {
    /** Is created, or replaced. */
    readonly file: string;
    /** `raw` is a `.v` file, for sharp to encode. */
    readonly format: 'png' | 'tiff' | 'raw';
    readonly bits: 8 | 16;
    readonly metadata: PictureMetadata;
  };
  /** A file for what is generated before its colour can be matched: six bytes a pixel. */
  readonly scratch: string;
}

/** Generates all rows of a picture, from the top, in [-1, 1]. */
export type GenerateRows = (
  source: RowSource,
  options: UpscaleOptions,
  onBand: (band: Band) => Promise<void>,
) => Promise<void>;

/** Bytes of the planes that are made ready at a time, and of those that are finished, about. */
const sliceBytes = 2 ** 24;
const bandBytes = 2 ** 25;

/**
 * Generated values in 16 bits: [-0.5, 1.5], because they are clamped only after their colour is
 * matched. A step is 1/130 of a level of 255.
 */
const scratchGain = 65535 / 2;
const scratchOffset = 0.5;

/** Upscale `task.source` into `task.target`. The scratch file is left for the caller to remove. */
export async function upscaleRaw(
  task: RawTask,
  generateRows: GenerateRows,
  options: UpscaleOptions,
  kernels: ColorKernels,
): Promise<Size> {
  const { color = 'adain', detail = 1, signal, onProgress } = options;
  const size = outputSize(task.source, options);
  const fd = openSync(task.source.file, 'r');
  try {
    const source = rawRows({ ...task.source, fd }, size);
    const moments = await generate(task.scratch, source, generateRows, options);
    const like = task.target.bits === 8 ? new Uint8Array() : new Uint16Array();
    const finish: Finish = {
      color,
      detail,
      kernels,
      like,
      ...(color === 'adain' && { statistics: moments }),
    };
    const again = rawRows({ ...task.source, fd }, size);
    await writeFinished(task, again, finish, { onProgress, signal });
  } finally {
    closeSync(fd);
  }
  return size;
}

/** Generates into the scratch file. The file is written while the next tiles are generated. */
async function generate(
  scratch: string,
  source: RowSource,
  generateRows: GenerateRows,
  options: UpscaleOptions,
): Promise<NonNullable<Finish['statistics']>> {
  const { width } = source;
  let result = noMoments;
  let wanted = noMoments;
  const file = await open(scratch, 'w');
  let writing: Promise<void> = Promise.resolve();
  try {
    await generateRows(source, options, async ({ top, rows, planes }) => {
      // Slice by slice: a band of a wide picture, in floats, is much of the memory there is.
      const slice = rowsOf(sliceBytes, width * 12);
      for (let from = 0; from < rows; from += slice) {
        const to = Math.min(rows, from + slice);
        const unit = unitPlanes(planes, from, to, width);
        if ((options.color ?? 'adain') === 'adain') {
          result = addMoments(result, momentsOfPlanes(unit));
          wanted = addMoments(wanted, momentsOfPicture(source.color(top + from, top + to)));
        }
        await writing;
        const bytes = pack(unit);
        writing = writeFully(file, bytes, (top + from) * width * 6);
        writing.catch(() => undefined); // thrown where it is awaited
      }
    });
    await writing;
  } finally {
    await writing.catch(() => undefined);
    await file.close();
  }
  return { result: statistics(result), source: statistics(wanted) };
}

/** How many rows of `rowBytes` make about `bytes`; at least one. */
function rowsOf(bytes: number, rowBytes: number): number {
  return Math.max(1, Math.floor(bytes / rowBytes));
}

/** Rows `from` to `to` of a band's planes from [-1, 1] to [0, 1], copied. */
function unitPlanes(
  planes: readonly Float32Array[],
  from: number,
  to: number,
  width: number,
): Tensor<'float32'> {
  const area = (to - from) * width;
  const data = new Float32Array(3 * area);
  for (const [c, plane] of planes.entries()) {
    const start = from * width;
    for (let i = 0; i < area; i++) data[c * area + i] = plane[start + i]! * 0.5 + 0.5;
  }
  return tensor('float32', [3, to - from, width], data);
}

/** Planes as interleaved 16-bit samples. */
function pack({ data }: Tensor<'float32'>): Uint8Array {
  const area = data.length / 3;
  const out = new Uint16Array(data.length);
  for (let c = 0; c < 3; c++) {
    for (let p = 0, o = c; p < area; p++, o += 3) {
      const v = (data[c * area + p]! + scratchOffset) * scratchGain + 0.5;
      out[o] = v < 0 ? 0 : v > 65535 ? 65535 : v;
    }
  }
  return new Uint8Array(out.buffer);
}

function unpack(samples: Uint16Array, rows: number, width: number): Tensor<'float32'> {
  const area = rows * width;
  const data = new Float32Array(3 * area);
  for (let c = 0; c < 3; c++) {
    for (let p = 0, i = c; p < area; p++, i += 3)
      data[c * area + p] = samples[i]! / scratchGain - scratchOffset;
  }
  return tensor('float32', [3, rows, width], data);
}

/** Reads the scratch file back, finishes its rows and encodes them. */
async function writeFinished(
  { target, scratch, source: { channels } }: RawTask,
  source: RowSource,
  finish: Finish,
  {
    onProgress,
    signal,
  }: { onProgress: UpscaleOptions['onProgress']; signal: AbortSignal | undefined },
): Promise<void> {
  const { width, height } = source;
  const reach = finishReach(finish);
  const rowsPerBand = Math.max(rowsOf(bandBytes, width * 12), reach);
  const fd = openSync(scratch, 'r');
  const file = await open(target.file, 'w');
  try {
    const writer = await startWriter(target, new FileSink(file), { width, height, channels });
    let writing: Promise<void> = Promise.resolve();
    for (let top = 0; top < height; top += rowsPerBand) {
      signal?.throwIfAborted();
      const rows = Math.min(rowsPerBand, height - top);
      const from = Math.max(0, top - reach);
      const to = Math.min(height, top + rows + reach);
      const samples = new Uint16Array((to - from) * width * 3);
      readFully(fd, samples, from * width * 6);
      const color = source.color(from, to);
      const finished = cropRows(
        await finishRows(unpack(samples, to - from, width), color, finish),
        top - from,
        rows,
      );
      const alpha = source.alpha(top, top + rows);
      const picture = alpha ? withAlpha(finished, convertDepth(alpha, finish.like)) : finished;
      await writing;
      writing = writer.write(picture.data as Uint8Array | Uint16Array);
      writing.catch(() => undefined); // thrown where it is awaited
      onProgress?.({ phase: 'finish', done: top + rows, total: height });
    }
    await writing;
    await writer.end();
    await file.sync();
  } finally {
    closeSync(fd);
    await file.close();
  }
}

function startWriter(
  { format, bits, metadata }: RawTask['target'],
  sink: FileSink,
  { width, height, channels }: Size & { readonly channels: Channels },
): Promise<RowWriter> {
  const header = { width, height, channels, bits, metadata: asBuffers(metadata) };
  return format === 'raw' ? vipsWriter(sink, header) : rowWriter(format, sink, header);
}

function cropRows(picture: Picture, top: number, rows: number): Picture {
  const row = picture.width * picture.channels;
  return { ...picture, height: rows, data: picture.data.subarray(top * row, (top + rows) * row) };
}

/** Buffers that came from another thread arrive as plain arrays. */
function asBuffers({ icc, exif, xmp, iptc, ...others }: PictureMetadata): PictureMetadata {
  return {
    ...others,
    ...(icc && { icc: Buffer.from(icc) }),
    ...(exif && { exif: Buffer.from(exif) }),
    ...(xmp && { xmp: Buffer.from(xmp) }),
    ...(iptc && { iptc: Buffer.from(iptc) }),
  };
}
