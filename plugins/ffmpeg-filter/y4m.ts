/** @file yuv4mpeg streams (mjpegtools' format, as ffmpeg's `-f yuv4mpegpipe` reads and writes it). */
import { FormatError } from 'osediff';
import type { ByteReader } from './byte-reader.ts';
import { frameBytes, type YuvFormat } from './yuv.ts';

export interface Y4mHeader {
  readonly width: number;
  readonly height: number;
  readonly format: YuvFormat;
  /** All parameters, in order: those that are not about size go out as they came. */
  readonly parameters: readonly string[];
}

const lineLimit = 4096;
const samplings = {
  '420': [2, 2],
  '422': [2, 1],
  '444': [1, 1],
  '411': [4, 1],
  mono: [1, 1],
} as const;

/** @throws FormatError for what is no yuv4mpeg, interlaced, or sampled in another way */
export async function readY4mHeader(reader: ByteReader): Promise<Y4mHeader> {
  const [magic, ...parameters] = ((await reader.line(lineLimit)) ?? '').split(' ');
  if (magic !== 'YUV4MPEG2') {
    throw new FormatError(
      'stdin: expected yuv4mpeg, got something else. Give --format, or "-f yuv4mpegpipe" to ffmpeg.',
    );
  }
  const value = (letter: string): string | undefined =>
    parameters.find((parameter) => parameter.startsWith(letter))?.slice(1);
  const [width, height] = [Number(value('W')), Number(value('H'))];
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new FormatError('stdin: expected a width and a height in the yuv4mpeg header, got none.');
  }
  const interlacing = value('I');
  if (interlacing !== undefined && !/^[p?]$/.test(interlacing)) {
    throw new FormatError(
      'stdin: expected whole pictures, got interlaced ones. Deinterlace first.',
    );
  }
  const kind = /^(420|422|444|411|mono)(?:jpeg|mpeg2|paldv)?p?(9|10|12|14|16)?$/.exec(
    value('C') ?? '420',
  );
  if (!kind) {
    throw new FormatError(
      `stdin: expected 420, 422, 444, 411 or mono samples, got "${value('C')}". Convert with -pix_fmt.`,
    );
  }
  const name = kind[1] as keyof typeof samplings;
  const [subX, subY] = samplings[name];
  const format: YuvFormat = {
    subX,
    subY,
    leftSited: subX === 2 && !/jpeg/.test(value('C') ?? 'jpeg'),
    depth: Number(kind[2] ?? 8),
    full: parameters.includes('XCOLORRANGE=FULL'),
    matrix: height > 576 ? 'bt709' : 'bt601',
    gray: name === 'mono',
  };
  return { width, height, format, parameters };
}

/** The header of a result of another size. */
export function y4mHeader({ parameters }: Y4mHeader, width: number, height: number): Buffer {
  const rest = parameters.filter((parameter) => !/^[WH]/.test(parameter));
  return Buffer.from(
    `YUV4MPEG2 W${width} H${height} ${rest.join(' ')}\n`.replace(' \n', '\n'),
    'latin1',
  );
}

/** The next frame's planes, or undefined at the end. @throws FormatError when it is cut off */
export async function readY4mFrame(
  reader: ByteReader,
  header: Y4mHeader,
): Promise<Buffer | undefined> {
  const line = await reader.line(lineLimit);
  if (line === undefined) return undefined;
  if (!/^FRAME( |$)/.test(line)) {
    throw new FormatError(
      'stdin: expected FRAME before a frame, got something else. It is damaged.',
    );
  }
  return reader.bytes(frameBytes(header.width, header.height, header.format));
}

export const y4mFrameHead: Buffer = Buffer.from('FRAME\n');
