/** @file Training samples: a crop of a picture, flipped or not, and its degraded counterpart. */
import { toPlanes, type Picture } from '../image/picture.ts';
import { ShapeError } from '../tensor/errors.ts';
import { tensor } from '../tensor/tensor.ts';
import { degrade, enlargeInput, type Jpeg } from './chain.ts';
import { drawPlan } from './draw.ts';
import { diffJpeg } from './jpeg.ts';
import type { DegradeParams } from './params.ts';
import type { Plan } from './plan.ts';
import { roundToBytes, type Planes } from './planes.ts';
import { Random } from '../tensor/random.ts';
import { realJpeg } from './real-jpeg.ts';
import { sharpen } from './usm.ts';

/** Which JPEG the chain goes through: DiffJPEG as OSEDiff trains, or libjpeg. */
export type JpegKind = 'diff' | 'real';

/** Each kind of JPEG. */
export const jpegs: Readonly<Record<JpegKind, Jpeg>> = { diff: diffJpeg, real: realJpeg };

/** What an endless series of samples is made from; plain values, so that a worker can be told. */
export interface SampleSpec {
  /** Picture files; each is taken once an epoch, in an order drawn anew. */
  readonly files: readonly string[];
  /** Side of the crops in pixels: a multiple of the scale. */
  readonly crop: number;
  readonly params: DegradeParams;
  readonly seed: number;
  /** @default 'diff' */
  readonly jpeg?: JpegKind;
}

/** One sample. It follows from the series' spec and its own number alone. */
export interface Sample {
  readonly index: number;
  readonly file: string;
  /** The ground truth, `[3, crop, crop]` in [0, 1]. */
  readonly truth: Planes;
  /** `x_L`: degraded, at the same size, multiples of 1/255. */
  readonly input: Planes;
  /** Degraded and small, `[3, crop / scale, crop / scale]`, multiples of 1/255. */
  readonly low: Planes;
  readonly plan: Plan;
}

/** Reads a picture file; `readPicture`, or a cache before it. */
export type ReadPicture = (file: string) => Promise<Picture>;

/** Streams of a series' seed, so that none of its random numbers serve two purposes. */
const streams = { order: 0, crop: 1, plan: 2 } as const;

/**
 * Sample `index` of a series.
 *
 * @throws ShapeError when the picture is smaller than the crop or the scale does not divide it; what
 *   `read` throws
 */
export async function makeSample(
  spec: SampleSpec,
  index: number,
  read: ReadPicture,
): Promise<Sample> {
  const { files, crop, params, seed, jpeg = 'diff' } = spec;
  if (crop % params.scale !== 0) {
    throw new ShapeError(`crop: expected a multiple of the scale ${params.scale}, got ${crop}.`);
  }
  const file = files[pictureOf(seed, index, files.length)]!;
  const cropped = cropFlip(await read(file), file, crop, new Random([seed, streams.crop, index]));
  const truth = params.sharpenTruth ? sharpen(cropped) : cropped;
  const plan = drawPlan(params, [seed, streams.plan, index]);
  const small = await degrade(truth, plan, { jpeg: jpegs[jpeg] });
  const input = enlargeInput(small, plan, crop, crop);
  return { index, file, truth, input, low: roundToBytes(small), plan };
}

let lastOrder: { readonly key: string; readonly order: Uint32Array } | undefined;

/** Which of `count` pictures a sample is of: epoch by epoch a new permutation. */
export function pictureOf(seed: number, index: number, count: number): number {
  const epoch = Math.floor(index / count);
  const key = `${seed} ${epoch} ${count}`;
  if (lastOrder?.key !== key) {
    lastOrder = { key, order: shuffled(count, new Random([seed, streams.order, epoch])) };
  }
  return lastOrder.order[index % count]!;
}

/** 0 to `count` - 1 in an order of which each is as likely (Fisher and Yates). */
function shuffled(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** A square of a picture, each place as likely, mirrored every other time. */
function cropFlip(picture: Picture, file: string, side: number, random: Random): Planes {
  const { width, height } = picture;
  if (width < side || height < side) {
    throw new ShapeError(
      `${file}: expected at least ${side}x${side} pixels for a crop, got ${width}x${height}. Leave it out or take smaller crops.`,
    );
  }
  const left = random.below(width - side + 1);
  const top = random.below(height - side + 1);
  const planes = toPlanes(picture, 'unit', { left, top, width: side, height: side });
  return random.chance(0.5) ? mirrored(planes) : planes;
}

function mirrored(x: Planes): Planes {
  const out = x.data.slice();
  const width = x.shape[2]!;
  for (let row = 0; row < out.length; row += width) out.subarray(row, row + width).reverse();
  return tensor('float32', x.shape, out);
}
