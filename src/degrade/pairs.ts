/** @file Pairs of files for any trainer: a picture as it is, and its degraded small counterpart. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, parse, sep } from 'node:path';
import { readPicture, writePicture } from '../image/codec.ts';
import { fromPlanes, toPlanes, type Picture } from '../image/picture.ts';
import { explainPathError } from '../image/path-errors.ts';
import { PathError, ShapeError, UsageError } from '../tensor/errors.ts';
import { degrade } from './chain.ts';
import { drawPlan } from './draw.ts';
import type { DegradeParams } from './params.ts';
import type { Plan } from './plan.ts';
import { roundToBytes } from './planes.ts';
import { Random, type StreamName } from '../tensor/random.ts';
import { jpegs, type JpegKind } from './sample.ts';
import { sharpen } from './usm.ts';

/** Two pictures, the second one `scale` times smaller, and how it came about. */
export interface Pair {
  readonly hr: Picture;
  readonly lr: Picture;
  readonly plan: Plan;
}

/**
 * Degrades a whole picture.
 *
 * @param picture alpha is left out, grey becomes RGB; rows and columns beyond a multiple of the scale
 *   are cut off on the right and below
 * @param stream names the random numbers
 * @returns HR in the picture's own depth (floats as 16 bits), LR in 8 bits
 * @throws ShapeError when the picture is smaller than the scale, UsageError when too small for a resize
 */
export async function makePair(
  picture: Picture,
  params: DegradeParams,
  stream: StreamName,
  jpeg: JpegKind = 'diff',
): Promise<Pair> {
  const { scale } = params;
  const width = picture.width - (picture.width % scale);
  const height = picture.height - (picture.height % scale);
  if (width === 0 || height === 0) {
    throw new ShapeError(
      `degrade: expected at least ${scale}x${scale} pixels, got ${picture.width}x${picture.height}.`,
    );
  }
  const planes = toPlanes(picture, 'unit', { left: 0, top: 0, width, height });
  const truth = params.sharpenTruth ? sharpen(planes) : planes;
  const plan = drawPlan(params, stream);
  const small = roundToBytes(await degrade(truth, plan, { jpeg: jpegs[jpeg] }));
  const deep = picture.data instanceof Uint8Array ? new Uint8Array() : new Uint16Array();
  return {
    hr: fromPlanes(truth, { like: deep, channels: 3, range: 'unit' }),
    lr: fromPlanes(small, { like: new Uint8Array(), channels: 3, range: 'unit' }),
    plan,
  };
}

/** A picture file, and its path below the folder of a command line that it was found in. */
export interface PairInput {
  readonly path: string;
  readonly below: string;
}

/** Files of a finished pair. */
export interface PairResult {
  readonly input: string;
  readonly hr: string;
  readonly lr: string;
  readonly plan: Plan;
}

/** How `writePairs` works. */
export interface PairsOptions {
  /** The folder that gets `hr/` and `lr/`. */
  readonly out: string;
  readonly params: DegradeParams;
  readonly seed: number;
  /** @default 'diff' */
  readonly jpeg?: JpegKind;
  /** @default false */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  readonly onDone?: (result: PairResult, done: number, total: number) => void;
  /** An input that failed; the others go on. */
  readonly onFailed?: (input: string, error: unknown) => void;
}

/**
 * Writes `hr/<path below>.png` and `lr/<path below>.png` for each input.
 *
 * A picture's random numbers follow from the seed and its path below, so that its pair stays the same
 * when others are added or taken away.
 *
 * @returns how many pairs were written and how many inputs failed
 * @throws UsageError when two inputs would make one pair; the signal's reason
 */
export async function writePairs(
  inputs: readonly PairInput[],
  options: PairsOptions,
): Promise<{ done: number; failed: number }> {
  const { out, params, seed, jpeg = 'diff', overwrite = false, signal } = options;
  const names = pairNames(inputs);
  let done = 0;
  let failed = 0;
  for (const [i, input] of inputs.entries()) {
    signal?.throwIfAborted();
    const name = names[i]!;
    const [hr, lr] = [join(out, 'hr', name), join(out, 'lr', name)];
    try {
      if (!overwrite) for (const file of [hr, lr]) await requireFree(file);
      const stream = [seed, ...nameKey(name)];
      const pair = await makePair(await readPicture(input.path), params, stream, jpeg);
      for (const file of [hr, lr]) await makeFolder(dirname(file));
      await writePicture(pair.hr, hr, { overwrite });
      await writePicture(pair.lr, lr, { overwrite });
      done++;
      options.onDone?.({ input: input.path, hr, lr, plan: pair.plan }, done, inputs.length);
    } catch (error) {
      failed++;
      options.onFailed?.(input.path, error);
    }
  }
  return { done, failed };
}

/** 64 bits of a relative path, the same on every platform. */
function nameKey(name: string): StreamName {
  const random = new Random([...Buffer.from(name.split(sep).join('/').normalize('NFC'))]);
  return [random.bits(), random.bits()];
}

/** The pairs' file names, which must differ. */
function pairNames(inputs: readonly PairInput[]): string[] {
  const byName = new Map<string, string>();
  return inputs.map(({ path, below }) => {
    const { dir, name } = parse(below);
    const file = join(dir, `${name}.png`);
    const other = byName.get(file.toLowerCase());
    if (other !== undefined) {
      throw new UsageError(
        `${file}: expected one input for each pair, got ${other} and ${path}. Degrade them into different folders.`,
      );
    }
    byName.set(file.toLowerCase(), path);
    return file;
  });
}

/** Asks before the work, so that no half of a pair is written beside an older other half. */
async function requireFree(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) === undefined) return;
  throw new PathError(
    `${file}: expected nothing there yet, got a file or folder. Give --overwrite to replace it, or another --out.`,
  );
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw explainPathError(error, folder);
  });
}
