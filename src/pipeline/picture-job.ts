/** @file One picture from its file to the result's: read, upscaled, written, whether it fits into memory or not. */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { decodePictureFile, readPictureFile, thumbnailOfFile } from '../image/codec.ts';
import { convertDepth } from '../image/convert.ts';
import {
  encodeDecoded,
  encodePictureFile,
  type PictureFile,
  thumbnailOf,
} from '../image/encode.ts';
import { type Format, limitsOf } from '../image/formats.ts';
import { correctedMetadata, type PictureMetadata } from '../image/metadata.ts';
import { explainPathError } from '../image/path-errors.ts';
import type { Picture } from '../image/picture.ts';
import {
  moveIntoPlace,
  removeLeftovers,
  removeTemporary,
  temporaryName,
  writeFileSafely,
} from '../image/safe-write.ts';
import { standardStream } from './standard-stream.ts';
import type { Job } from './outputs.ts';
import type { PlannedPicture } from './picture-check.ts';
import type { Size } from './size.ts';
import type { Progress, UpscaleOptions, Upscaler } from './types.ts';
import type { WriteRules } from './write-rules.ts';

/** Standard input and output of the process. */
export interface Streams {
  read(): Promise<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
}

/** What all pictures of a batch have in common. */
export interface JobOptions {
  readonly rules: WriteRules;
  readonly upscale: UpscaleOptions;
  readonly overwrite: boolean;
  readonly source: (picture: PlannedPicture) => string | Uint8Array;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

/** Results of more pixels than this are made from file to file, where the model can. */
const mostInMemory = 24e6;

/** Reads a picture that fits into memory, in the depth that it is upscaled and written in. */
export async function readJob(
  picture: PlannedPicture,
  { rules, source }: JobOptions,
): Promise<PictureFile> {
  const file = await readPictureFile(source(picture), readOptions(picture, rules));
  const { bits } = limitsOf(picture.format);
  if (rules.bits !== 16 || bits === 8) return file;
  // Bytes become 16 bits before, not after: what is generated lies between the levels of bytes.
  const widen = (frame: Picture): Picture =>
    frame.data instanceof Uint8Array ? convertDepth(frame, new Uint16Array()) : frame;
  return { ...file, frames: file.frames.map(widen) };
}

function readOptions(
  { input, format }: PlannedPicture,
  { profile = 'keep', limitPixels, firstFrame = false }: WriteRules,
): Parameters<typeof readPictureFile>[1] {
  return {
    profile: limitsOf(format).profile ? profile : 'srgb',
    firstFrame,
    ...(input === standardStream && { name: 'standard input' }),
    ...(limitPixels !== undefined && { limitPixels }),
  };
}

/** Upscales all frames. */
export async function upscaleJob(
  file: PictureFile,
  upscaler: Upscaler,
  options: UpscaleOptions,
): Promise<PictureFile> {
  const { onProgress } = options;
  const count = file.frames.length;
  const frames: Picture[] = [];
  for (const [index, frame] of file.frames.entries()) {
    const report = ({ phase, done, total }: Progress): void => {
      if (count === 1) onProgress?.({ phase, done, total });
      else if (phase === 'tiles') {
        onProgress?.({ phase, done: index * total + done, total: count * total });
      }
    };
    frames.push(await upscaler.upscale(frame, { ...options, onProgress: report }));
  }
  return { ...file, frames };
}

/** Writes a result of `upscaleJob`, with its metadata made true of it. */
export async function writeJob(
  picture: PlannedPicture,
  result: PictureFile,
  { rules, overwrite, write }: JobOptions,
): Promise<void> {
  const [first] = result.frames as [Picture];
  const metadata = await newMetadata(result.metadata, picture, rules, () => thumbnailOf(first));
  const bytes = await encodePictureFile({ ...result, metadata }, picture.format, rules);
  if (picture.output === standardStream) {
    await write(bytes);
    return;
  }
  await createFolder(dirname(picture.output));
  await writeFileSafely(picture.output, bytes, { overwrite });
}

function newMetadata(
  metadata: PictureMetadata,
  { width, result }: PlannedPicture,
  { density = 'keep', strip = false }: WriteRules,
  thumbnail: () => Promise<Buffer>,
): Promise<PictureMetadata> {
  const scale = result.width / width;
  return correctedMetadata(metadata, { ...result, scale, density, strip, thumbnail });
}

/** Whether a picture is better made from file to file. */
export function isLarge(
  { result, depth, frames }: PlannedPicture,
  { upscale }: Pick<JobOptions, 'upscale'>,
): boolean {
  const pixels = result.width * result.height;
  return pixels > mostInMemory && frames === 1 && depth !== 'float32' && !upscale.asPublished;
}

/** All of it for a picture that does not fit into memory. Temporary files lie beside the result. */
export async function runLargeJob(
  picture: PlannedPicture,
  upscaler: Upscaler,
  options: JobOptions,
): Promise<Size> {
  const { rules, upscale, overwrite, write } = options;
  const { output, format } = picture;
  const toStream = output === standardStream;
  const folder = toStream ? tmpdir() : dirname(output);
  await createFolder(folder);
  const source = options.source(picture);
  const direct = format === 'png' || format === 'tiff';
  const temporary = {
    decoded: temporaryName(folder, '.v'),
    scratch: temporaryName(folder, '.v'),
    result: temporaryName(folder, direct ? '.part' : format === 'avif' ? '.png' : '.v'),
  };
  try {
    const decoded = await decodePictureFile(source, temporary.decoded, readOptions(picture, rules));
    const metadata = await newMetadata(decoded.metadata, picture, rules, () =>
      thumbnailOfFile(source),
    );
    const bits = bitsOf(format, decoded.depth, rules);
    const size = await upscaler.upscaleRaw!(
      {
        source: { ...decoded, file: temporary.decoded },
        target: {
          file: temporary.result,
          format: direct ? format : format === 'avif' ? 'png' : 'raw',
          bits,
          metadata,
        },
        scratch: temporary.scratch,
      },
      upscale,
    );
    await removeTemporary(temporary.scratch);
    if (direct && !toStream) {
      await moveIntoPlace(temporary.result, output, { overwrite });
    } else {
      const bytes = direct
        ? await readWhole(temporary.result)
        : await encodeDecoded(temporary.result, format, metadata, { ...rules, bits });
      await (toStream ? write(bytes) : writeFileSafely(output, bytes, { overwrite }));
    }
    return size;
  } catch (error) {
    throw explainPathError(error, output);
  } finally {
    for (const file of Object.values(temporary)) await removeTemporary(file);
  }
}

function bitsOf(format: Format, depth: 'uint8' | 'uint16', { bits }: WriteRules): 8 | 16 {
  const wanted = bits ?? (depth === 'uint8' ? 8 : 16);
  return limitsOf(format).bits === 8 ? 8 : wanted;
}

async function readWhole(file: string): Promise<Uint8Array> {
  const { readFile } = await import('node:fs/promises');
  return readFile(file);
}

/** Makes the folder of a result. */
async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw explainPathError(error, folder);
  }
}

/** Removes from the folders of these results the temporary files of runs that were killed. */
export async function cleanFolders(jobs: readonly Job[]): Promise<void> {
  const files = jobs.map(({ output }) => output).filter((output) => output !== standardStream);
  for (const folder of new Set(files.map((file) => dirname(file)))) await removeLeftovers(folder);
}
