/** @file Which encoder a result gets, with which options and pixels, and what it cannot hold of the source. */
import { UsageError } from 'osediff';
import { collect, type Ffmpeg } from './ffmpeg.ts';
import type { PixelFormat } from './pixel-format.ts';
import type { Hdr, VideoInfo } from './probe.ts';

/** What the user may ask for. */
export const codecChoices = [
  'source',
  'libx264',
  'libx265',
  'libsvtav1',
  'libvpx-vp9',
  'ffv1',
  'prores',
] as const;
export type CodecChoice = (typeof codecChoices)[number];

/** An encoder with all it is given. */
export interface Encoder {
  readonly name: string;
  readonly args: readonly string[];
  /** ffmpeg's name of the pixel format. */
  readonly pixels: string;
  /** What of the source is not in the result, in words. */
  readonly lost: readonly string[];
  /** Bytes a pixel that the result hardly exceeds. */
  readonly bytesPerPixel: number;
}

interface Known {
  /** Names of ffmpeg's encoders, best first. */
  readonly encoders: readonly string[];
  readonly crf?: number;
  readonly args?: readonly string[];
  readonly bytesPerPixel: number;
  /** Whether it takes HDR10's metadata here. */
  readonly hdr?: true;
  /** Palettes are made from the frames. */
  readonly palette?: true;
}

/** Codecs by ffprobe's names. */
const known: Readonly<Record<string, Known>> = {
  h264: { encoders: ['libx264'], crf: 18, bytesPerPixel: 0.05, hdr: true },
  hevc: { encoders: ['libx265'], crf: 20, bytesPerPixel: 0.04, hdr: true },
  av1: { encoders: ['libsvtav1', 'libaom-av1'], crf: 28, bytesPerPixel: 0.03 },
  vp9: {
    encoders: ['libvpx-vp9'],
    crf: 26,
    args: ['-b:v', '0', '-row-mt', '1'],
    bytesPerPixel: 0.05,
  },
  vp8: { encoders: ['libvpx'], crf: 8, args: ['-b:v', '50M'], bytesPerPixel: 0.06 },
  ffv1: {
    encoders: ['ffv1'],
    args: ['-level', '3', '-g', '1', '-slicecrc', '1'],
    bytesPerPixel: 3,
  },
  prores: { encoders: ['prores_ks'], args: ['-vendor', 'apl0'], bytesPerPixel: 1 },
  mjpeg: { encoders: ['mjpeg'], args: ['-q:v', '2'], bytesPerPixel: 0.5 },
  gif: { encoders: ['gif'], bytesPerPixel: 1, palette: true },
  png: { encoders: ['png'], bytesPerPixel: 3 },
  utvideo: { encoders: ['utvideo'], bytesPerPixel: 3 },
};

const wanted: Readonly<Record<Exclude<CodecChoice, 'source'>, string>> = {
  libx264: 'h264',
  libx265: 'hevc',
  libsvtav1: 'av1',
  'libvpx-vp9': 'vp9',
  ffv1: 'ffv1',
  prores: 'prores',
};

/** Options of an encoder that the user chooses. */
export interface EncodeChoice {
  readonly codec: CodecChoice;
  readonly crf?: number;
  readonly preset?: string;
}

/**
 * Choose the encoder of a result.
 *
 * @throws UsageError when this ffmpeg has no encoder for the codec asked for
 */
export async function chooseEncoder(
  ffmpeg: Ffmpeg,
  source: VideoInfo,
  { codec, crf, preset }: EncodeChoice,
): Promise<Encoder> {
  const available = await encoders(ffmpeg);
  const named = codec === 'source' ? (source.video.codec_name ?? '') : wanted[codec];
  const has = (entry: Known | undefined): string | undefined =>
    entry?.encoders.find((encoder) => available.has(encoder));
  const kept = Object.hasOwn(known, named) && has(known[named]) !== undefined;
  if (!kept && codec !== 'source') {
    throw new UsageError(
      `--codec: expected an encoder that this ffmpeg has, got ${codec}. Install a full ffmpeg or take libx264.`,
    );
  }
  const entry = known[kept ? named : 'h264']!;
  const name = has(entry);
  if (name === undefined) {
    throw new UsageError(
      '--codec: expected an ffmpeg with libx264, got one without. Name another.',
    );
  }
  if (crf !== undefined && entry.crf === undefined) {
    throw new UsageError(`--crf: expected a codec with such a setting, got ${name}. Leave it out.`);
  }
  const pixels = entry.palette
    ? 'pal8'
    : choosePixels(await pixelFormats(ffmpeg, name), source.pixels, name);
  const quality = crf ?? entry.crf;
  const args = [
    ...(entry.args ?? []),
    ...(quality === undefined ? [] : ['-crf', String(quality)]),
    ...(preset === undefined ? [] : ['-preset', preset]),
    ...(name === 'prores_ks' ? ['-profile:v', proresProfile(source, pixels)] : []),
    ...(entry.hdr && source.hdr ? hdrOptions(name, source.hdr) : []),
  ];
  return {
    name,
    args: name === 'libx265' ? quietX265(args) : args,
    pixels,
    lost: lostBy(name, entry, pixels, source),
    bytesPerPixel: entry.bytesPerPixel,
  };
}

async function encoders(ffmpeg: Ffmpeg): Promise<Set<string>> {
  const text = await collect(ffmpeg, 'ffmpeg', ['-v', 'quiet', '-encoders']);
  return new Set([...text.matchAll(/^ V\S{5} (\S+)/gm)].map((match) => match[1]!));
}

async function pixelFormats(ffmpeg: Ffmpeg, encoder: string): Promise<string[]> {
  const text = await collect(ffmpeg, 'ffmpeg', ['-v', 'quiet', '-h', `encoder=${encoder}`]);
  return /Supported pixel formats: (.*)/.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
}

/** The encoder's pixel format that keeps the most of the source's. */
function choosePixels(offered: readonly string[], source: PixelFormat, encoder: string): string {
  const plain = source.name.replace(/^yuvj/, 'yuv');
  // RGB through H.264 and its like would not play anywhere: full chroma keeps its sharp edges.
  const { alpha: a, chroma, depth, model } = source;
  // Deep enough first, the least of them before others; then the deepest of the rest.
  const all = [8, 10, 12, 16];
  const deep = [...all.filter((d) => d >= depth), ...all.filter((d) => d < depth).reverse()];
  const bits = (base: string): string[] => [
    ...deep.map((d) => (d === 8 ? base : `${base}${d}le`)),
    base,
  ];
  const alpha = a ? 'a' : '';
  const rgb = a
    ? ['bgra', 'rgba', ...bits('gbrap')]
    : ['gbrp', ...bits('gbrp'), '0rgb32', 'bgr0', 'rgb24'];
  const grey = a
    ? ['ya8', 'ya16le', ...bits('yuva444p')]
    : ['gray', ...deep.map((d) => `gray${d}le`)];
  const wide = ['ffv1', 'utvideo', 'png', 'prores_ks'].includes(encoder);
  const candidates = [
    ...(model !== 'rgb' || wide ? [plain] : []),
    ...(model === 'rgb' && wide ? rgb : []),
    ...(model === 'gray' ? grey : []),
    ...(model === 'yuv' || wide ? bits(`yuv${alpha}${model === 'yuv' ? chroma : '444'}p`) : []),
    ...(a ? bits('yuva444p') : []),
    ...bits(`yuv${model === 'yuv' && wide ? chroma : '420'}p`),
    ...bits('yuv444p'),
    ...bits('yuv422p'),
    `yuvj${model === 'yuv' ? chroma : '420'}p`,
  ];
  const found = candidates.find((name) => offered.includes(name));
  return found ?? offered[0] ?? 'yuv420p';
}

/** ProRes keeps its quality class; other sources get HQ, or 4444 where they have more than 4:2:2. */
function proresProfile({ video }: VideoInfo, pixels: string): string {
  const classes = ['Proxy', 'LT', 'Standard', 'HQ', '4444', 'XQ', '4444 XQ'];
  const own = video.codec_name === 'prores' ? classes.indexOf(video.profile ?? '') : -1;
  if (own >= 0) return String(Math.min(own, 5));
  return /444/.test(pixels) ? '4' : '3';
}

function lostBy(name: string, { hdr }: Known, pixels: string, source: VideoInfo): string[] {
  const lost: string[] = [];
  const alpha = /^(yuva|gbrap|rgba|bgra|argb|abgr|ya\d|pal8)/.test(pixels);
  // VP9 keeps its alpha beside the frames, where the segments' container has no place for it.
  if (source.pixels.alpha && (!alpha || name === 'libvpx-vp9')) lost.push('alpha');
  const depth = Number(/(?:p|gray)(9|10|12|14|16)le$/.exec(pixels)?.[1] ?? 8);
  const wide = /^(rgb48|rgba64|ya16)/.test(pixels) ? 16 : depth;
  // ProRes decodes to 12 bits whatever was encoded, and is encoded from 10.
  const again = name === 'prores_ks' && source.video.codec_name === 'prores';
  if (wide < source.pixels.depth && !again)
    lost.push(`${source.pixels.depth} bits a sample (${wide} are kept)`);
  if (source.hdr && !hdr) lost.push('HDR10 metadata');
  return lost;
}

/** x265 speaks for itself on stderr. */
function quietX265(args: readonly string[]): string[] {
  const at = args.indexOf('-x265-params');
  if (at < 0) return [...args, '-x265-params', 'log-level=error'];
  return args.map((arg, i) => (i === at + 1 ? `log-level=error:${arg}` : arg));
}

/** HDR10 metadata as x264 and x265 take it: chromaticities in 1/50000, luminance in 1/10000 cd/m². */
function hdrOptions(encoder: string, { mastering, light }: Hdr): string[] {
  const units = (key: string, unit: number): number => {
    const [num = 0, den = 1] = ((mastering?.[key] ?? '0/1') as string).split('/').map(Number);
    return Math.round((num / den) * unit);
  };
  const point = (color: string): string =>
    `(${units(`${color}_x`, 5e4)},${units(`${color}_y`, 5e4)})`;
  const params: string[] = [];
  if (mastering) {
    const luminance = `L(${units('max_luminance', 1e4)},${units('min_luminance', 1e4)})`;
    const points = `G${point('green')}B${point('blue')}R${point('red')}WP${point('white_point')}`;
    params.push(
      `${encoder === 'libx265' ? 'master-display' : 'mastering-display'}=${points}${luminance}`,
    );
  }
  if (light) {
    const level = `${Number(light['max_content'])},${Number(light['max_average'])}`;
    params.push(`${encoder === 'libx265' ? 'max-cll' : 'cll'}=${level}`);
  }
  if (encoder === 'libx265') return ['-x265-params', ['hdr10=1', ...params].join(':')];
  return ['-x264-params', params.join(':')];
}
