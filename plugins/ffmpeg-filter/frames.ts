/** @file Raw frames in, upscaled raw frames out: yuv4mpeg, NUT and rawvideo. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { FormatError, UsageError, type Channels, type Picture, type Upscaler } from 'osediff';
import { ByteReader } from './byte-reader.ts';
import { CellUpscaler, type CellOptions } from './cells.ts';
import { inOrder } from './in-order.ts';
import { readNut } from './nut-read.ts';
import { nutFrameHead, nutHeader } from './nut.ts';
import { readY4mFrame, readY4mHeader, y4mFrameHead, y4mHeader } from './y4m.ts';
import { fromPicture, toPicture } from './yuv.ts';

export const frameFormats = ['y4m', 'nut', 'rawvideo'] as const;
export type FrameFormat = (typeof frameFormats)[number];

/** Pixels of rawvideo and NUT, by ffmpeg's names; NUT has a code of four bytes for each. */
const pixelFormats: Readonly<Record<string, { channels: Channels; bytes: 1 | 2; fourcc: string }>> =
  {
    gray: { channels: 1, bytes: 1, fourcc: 'Y800' },
    rgb24: { channels: 3, bytes: 1, fourcc: 'RGB\u0018' },
    rgba: { channels: 4, bytes: 1, fourcc: 'RGBA' },
    gray16le: { channels: 1, bytes: 2, fourcc: 'Y1\u0000\u0010' },
    rgb48le: { channels: 3, bytes: 2, fourcc: 'RGB0' },
    rgba64le: { channels: 4, bytes: 2, fourcc: 'RBA@' },
  };
export const pixelNames: readonly string[] = Object.keys(pixelFormats);

export interface FramesOptions {
  readonly format: FrameFormat;
  /** Of rawvideo, which does not say. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Of rawvideo. @default 'rgb24' */
  readonly pixels?: string;
  readonly load: () => Promise<Upscaler>;
  readonly cells: CellOptions;
  readonly onFrame?: (done: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A stream of frames: how large they are, and how each is written. */
interface Opened {
  readonly width: number;
  readonly height: number;
  readonly header: (width: number, height: number) => Uint8Array;
  readonly frames: AsyncIterable<{
    readonly picture: Picture;
    readonly head: (size: number) => Uint8Array;
  }>;
  readonly encode: (picture: Picture) => Uint8Array;
}

/**
 * Upscale a stream of raw frames.
 *
 * @returns how many frames there were
 * @throws FormatError when the stream is damaged or cut off; UsageError for rawvideo without a size
 */
export async function upscaleFrames(
  input: Readable,
  output: Writable,
  options: FramesOptions,
): Promise<number> {
  const { cells, load, signal, onFrame } = options;
  const opened = await open(input, options);
  const upscaler = await load();
  let done = 0;
  try {
    const { width, height } = opened;
    const cellUpscaler = new CellUpscaler(upscaler, width, height, cells);
    await write(output, opened.header(width * cells.scale, height * cells.scale));
    const results = inOrder(
      opened.frames,
      async ({ picture, head }) => ({ head, result: await cellUpscaler.push(picture) }),
      3,
    );
    for await (const { head, result } of results) {
      signal?.throwIfAborted();
      const bytes = opened.encode(result);
      await write(output, head(bytes.length));
      await write(output, bytes);
      onFrame?.(++done);
    }
  } finally {
    await upscaler.dispose();
  }
  return done;
}

async function write(output: Writable, bytes: Uint8Array): Promise<void> {
  if (bytes.length > 0 && !output.write(bytes)) await once(output, 'drain');
}

function open(input: Readable, options: FramesOptions): Promise<Opened> {
  if (options.format === 'y4m') return openY4m(input);
  return options.format === 'nut' ? openNut(input) : openRaw(input, options);
}

async function openY4m(input: Readable): Promise<Opened> {
  const reader = new ByteReader(input, 'stdin');
  const header = await readY4mHeader(reader);
  const { width, height, format } = header;
  async function* frames(): Opened['frames'] & AsyncGenerator {
    for (;;) {
      const bytes = await readY4mFrame(reader, header);
      if (!bytes) return;
      yield { picture: toPicture(bytes, width, height, format), head: () => y4mFrameHead };
    }
  }
  return {
    width,
    height,
    header: (w, h) => y4mHeader(header, w, h),
    frames: frames(),
    encode: (picture) => fromPicture(picture, format),
  };
}

async function openNut(input: Readable): Promise<Opened> {
  const { stream, frames: coded } = await readNut(input);
  const { width, height, fourcc } = stream;
  const pixels = Object.values(pixelFormats).find((known) => known.fourcc === fourcc);
  if (!pixels) {
    throw new FormatError(
      `stdin: expected raw frames of ${pixelNames.join(', ')}, got "${fourcc}". Give ffmpeg "-c:v rawvideo -pix_fmt rgb24".`,
    );
  }
  async function* frames(): Opened['frames'] & AsyncGenerator {
    for await (const { pts, data } of coded) {
      yield {
        picture: rawPicture(data, width, height, pixels!),
        head: (size: number) => nutFrameHead(pts, size),
      };
    }
  }
  return {
    width,
    height,
    header: (w, h) => nutHeader({ ...stream, width: w, height: h }),
    frames: frames(),
    encode: bytesOf,
  };
}

async function openRaw(
  input: Readable,
  { size, pixels = 'rgb24' }: FramesOptions,
): Promise<Opened> {
  if (!size) throw new UsageError('--size: expected WIDTHxHEIGHT for rawvideo, got none.');
  const { width, height } = size;
  const format = pixelFormats[pixels]!;
  const reader = new ByteReader(input, 'stdin');
  async function* frames(): Opened['frames'] & AsyncGenerator {
    for (;;) {
      const bytes = Buffer.allocUnsafeSlow(width * height * format.channels * format.bytes);
      const count = await reader.fill(bytes);
      if (count === 0) return;
      if (count < bytes.length) {
        throw new FormatError(
          'stdin: expected whole frames, got a part of one. Check --size and --pixels.',
        );
      }
      yield { picture: rawPicture(bytes, width, height, format), head: () => Buffer.alloc(0) };
    }
  }
  return { width, height, header: () => Buffer.alloc(0), frames: frames(), encode: bytesOf };
}

function rawPicture(
  bytes: Buffer,
  width: number,
  height: number,
  { channels, bytes: size }: { readonly channels: Channels; readonly bytes: 1 | 2 },
): Picture {
  if (bytes.length !== width * height * channels * size) {
    throw new FormatError('stdin: expected frames of one size, got another. It is damaged.');
  }
  const data =
    size === 1
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return { width, height, channels, data };
}

function bytesOf({ data }: Picture): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
