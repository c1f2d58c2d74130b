/** @file ffmpeg's pixel formats by their names, and the raw ones in which frames go to the model and back. */
import { FormatError, type Channels } from 'osediff';
import type { ProbedStream } from './probe.ts';

/** What a pixel format can hold, and how it is to be read. */
export interface PixelFormat {
  /** ffmpeg's name. */
  readonly name: string;
  /** Bits a sample. */
  readonly depth: number;
  readonly alpha: boolean;
  readonly model: 'gray' | 'rgb' | 'yuv';
  /** Of yuv: how chroma is sampled. */
  readonly chroma: '420' | '422' | '444' | '440' | '411' | '410';
  readonly range: 'tv' | 'pc';
  /** Of yuv: the matrix by swscale's name. */
  readonly matrix: string;
  /** Whether the file itself names its matrix. */
  readonly tagged: boolean;
}

/** Interleaved samples that a picture holds as they are. */
export interface RawFormat {
  readonly name: string;
  readonly channels: Channels;
  readonly bytes: 1 | 2;
}

/** Matrices that swscale computes with, by ffprobe's names. */
const matrices: Readonly<Record<string, string>> = {
  bt709: 'bt709',
  bt470bg: 'bt601',
  smpte170m: 'smpte170m',
  smpte240m: 'smpte240m',
  fcc: 'fcc',
  bt2020nc: 'bt2020',
};

/**
 * The pixel format of a stream.
 *
 * Where the file does not name its matrix, it is BT.601 up to 576 lines and BT.709 above, as players
 * guess.
 *
 * @throws FormatError for a colour matrix that swscale does not have
 */
export function pixelFormat(stream: ProbedStream, file: string): PixelFormat {
  const name = stream.pix_fmt ?? 'yuv420p';
  const space = stream.color_space;
  const tagged = space !== undefined && space !== 'unknown' && space !== 'reserved';
  const model = modelOf(name, space);
  const guess = (stream.height ?? 0) > 576 ? 'bt709' : 'smpte170m';
  const matrix = tagged && model === 'yuv' ? matrices[space] : guess;
  if (matrix === undefined) {
    throw new FormatError(
      `${file}: expected a colour matrix that ffmpeg converts, got ${space}. Convert it first.`,
    );
  }
  const full = stream.color_range === 'pc' || name.startsWith('yuvj');
  return {
    name,
    depth: depthOf(name),
    alpha:
      /^(yuva|gbrap|rgba|bgra|argb|abgr|ya\d|pal8)/.test(name) ||
      stream.tags?.['alpha_mode'] === '1',
    model,
    chroma: chromaOf(name),
    range:
      full || model === 'rgb' || (model === 'gray' && stream.color_range !== 'tv') ? 'pc' : 'tv',
    matrix,
    tagged,
  };
}

function modelOf(name: string, space: string | undefined): PixelFormat['model'] {
  if (/^(gray|ya\d|mono)/.test(name)) return 'gray';
  if (/^(gbr|rgb|bgr|argb|abgr|0rgb|0bgr|pal8)/.test(name) || space === 'gbr') return 'rgb';
  return 'yuv';
}

function depthOf(name: string): number {
  if (/^(rgb48|bgr48|rgba64|bgra64|ya16)/.test(name)) return 16;
  if (/^(nv20|p01[0-6]|p21[0-6]|p41[0-6])/.test(name)) return name.includes('16') ? 16 : 10;
  return Number(/(?:p|gray)(9|10|12|14|16)(?:le|be)$/.exec(name)?.[1] ?? 8);
}

function chromaOf(name: string): PixelFormat['chroma'] {
  if (/^(nv12|nv21|p01)/.test(name)) return '420';
  if (/^(nv16|nv20|yuyv|uyvy|yvyu|p21)/.test(name)) return '422';
  return (/yuv[aj]?(420|422|444|440|411|410)/.exec(name)?.[1] ?? '444') as PixelFormat['chroma'];
}

/** The raw format that loses nothing of a pixel format. */
export function rawFormat({ depth, alpha, model }: PixelFormat): RawFormat {
  const bytes = depth > 8 ? 2 : 1;
  if (model === 'gray') {
    return alpha
      ? { name: bytes === 1 ? 'ya8' : 'ya16le', channels: 2, bytes }
      : { name: bytes === 1 ? 'gray' : 'gray16le', channels: 1, bytes };
  }
  return alpha
    ? { name: bytes === 1 ? 'rgba' : 'rgba64le', channels: 4, bytes }
    : { name: bytes === 1 ? 'rgb24' : 'rgb48le', channels: 3, bytes };
}

/** How far swscale goes for the right numbers: exact rounding, the same on every machine. */
const exact = 'flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact';

/** The filter from a stream's pixels to raw frames. */
export function toRaw({ model, matrix, range }: PixelFormat, raw: RawFormat): string {
  const from = model === 'yuv' ? `in_color_matrix=${matrix}:` : '';
  return `scale=${from}in_range=${range}:out_range=pc:${exact},format=${raw.name}`;
}

/** The filter from raw frames to the pixels that are encoded, in the colours of the source. */
export function fromRaw(source: PixelFormat, name: string): string {
  const model = modelOf(name, undefined);
  const to = model === 'yuv' ? `out_color_matrix=${source.matrix}:` : '';
  const range = model === 'rgb' ? 'pc' : resultRange(source);
  return `scale=in_range=pc:${to}out_range=${range}:${exact},format=${name}`;
}

/** The range of results: that of the source, and the usual one where the source is RGB. */
export function resultRange({ model, range }: PixelFormat): 'tv' | 'pc' {
  return model === 'rgb' ? 'tv' : range;
}
