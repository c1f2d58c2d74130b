/** @file Upscales pictures in this thread: enlarge, generate tile by tile, blend, match the colour. */
import { momentsOfPicture, momentsOfPlanes, statistics } from '../image/color-statistics.ts';
import { type Picture, withAlpha } from '../image/picture.ts';
import { latentReduction } from '../networks/osediff.ts';
import type { Tensors } from '../runtime/session.ts';
import { DeviceError, UsageError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { chooseDevice } from './device.ts';
import { enlarge } from './enlarge.ts';
import { finishRows } from './finish.ts';
import { type Generate, generate } from './generate.ts';
import { openKernels } from './kernels.ts';
import { openModel } from './model.ts';
import { latentNoise } from './noise.ts';
import { promptEncoder } from './prompt.ts';
import { promptWords } from './prompt-words.ts';
import { publishedUpscaler } from './published.ts';
import { type GenerateRows, type RawTask, upscaleRaw } from './raw-upscale.ts';
import { pictureRows } from './rows.ts';
import { rubbish } from './rubbish.ts';
import { outputSize, type Size } from './size.ts';
import { type GenerateTile, runTiles } from './tile-run.ts';
import { planTiles, type TilePlan } from './tiles.ts';
import type { ModelSummary, UpscaleOptions, UpscalerOptions } from './types.ts';

/** An upscaler in this thread, which a run blocks. */
export interface LocalUpscaler {
  readonly model: ModelSummary;
  upscale(picture: Picture, options?: UpscaleOptions): Promise<Picture>;
  /** Upscales from file to file what does not fit into memory. */
  upscaleRaw(task: RawTask, options?: UpscaleOptions): Promise<Size>;
  dispose(): Promise<void>;
}

/** Opens a model; networks are prepared when the first picture tells which. */
export async function openUpscaler(options: UpscalerOptions = {}): Promise<LocalUpscaler> {
  const { model: name = 'compact', precision = 'fp32', loras = [] } = options;
  const { device, why } = await chooseDevice(options.device ?? 'auto');
  const kernels = await openKernels(options.kernels ?? 'auto');
  const model = await openModel(name, loras);
  const compile = { device, precision };
  const generator = generate(model, compile);
  const prompts = promptEncoder(model, compile);
  const words = await promptWords(
    model,
    { from: options.promptFrom, tagger: options.tagger },
    compile,
  ).catch(async (error: unknown) => {
    await model.close();
    throw error;
  });
  const published = publishedUpscaler(model, compile, prompts, words);
  const {
    generator: config,
    tile: usualTile,
    overlap: usualOverlap,
    halo: usualHalo,
  } = model.config;
  const align = latentReduction(config);
  /** For tiles that come out as rubbish: float32 on the CPU, unless that is what made them. */
  let exact: Generate | undefined;

  function plan({ width, height }: Size, { tile = usualTile, overlap }: UpscaleOptions): TilePlan {
    const least = overlap ?? Math.min(usualOverlap, Math.floor(tile / 2));
    const halo = Math.min(usualHalo, Math.floor(least / 3)); // a third is left to blend in
    const tileHeight = Math.min(tile, Math.max(shortest, Math.floor(mostBlended / width)));
    return planTiles({
      width,
      height,
      tile,
      tileHeight,
      overlap: least,
      halo,
      align,
      phase: align,
      // GPUs prepare themselves for each shape anew.
      fixed: device !== 'cpu',
    });
  }

  function generateTile(text: Tensors, { sample = false, seed = 0 }: UpscaleOptions): GenerateTile {
    return async (input, { left, top }) => {
      const [, , height, width] = input.shape as [number, number, number, number];
      const box = {
        left: left / align,
        top: top / align,
        width: width / align,
        height: height / align,
      };
      const noise = sample ? latentNoise(seed, config.vae.latentChannels, box) : undefined;
      const result = await generator.run(input, text, noise);
      const fault = rubbish(input.data, result.data);
      if (fault === undefined) return result;
      return retry(fault, input, text, noise);
    };
  }

  /** A second try where numbers are wider. */
  async function retry(
    fault: string,
    input: Tensor<'float32'>,
    text: Tensors,
    noise: Tensor<'float32'> | undefined,
  ): Promise<Tensor<'float32'>> {
    if (device !== 'cpu' || precision !== 'fp32') {
      exact ??= generate(model, { device: 'cpu', precision: 'fp32' });
      const result = await exact.run(input, text, noise);
      if (rubbish(input.data, result.data) === undefined) return result;
    }
    throw new DeviceError(
      `${model.name}: expected a picture from the network, got ${fault}, in float32 too. The weights may be damaged: import the model again.`,
    );
  }

  const generateRows: GenerateRows = async (source, options, onBand) => {
    const text = await prompts.encode(await words.of(source, options.prompt ?? ''));
    await runTiles(source, plan(source, options), generateTile(text, options), onBand, options);
  };

  return {
    model: {
      name: model.name,
      device,
      precision,
      promptFrom: words.from,
      ...(why !== undefined && { why }),
      ...(words.note !== undefined && { promptNote: words.note }),
    },
    async upscale(picture, options = {}) {
      const { color = 'adain', detail = 1, onProgress, signal } = options;
      checkDetail(detail);
      if (options.asPublished) return published.upscale(picture, options);
      onProgress?.({ phase: 'prepare', done: 0, total: 1 });
      const { color: source, alpha } = enlarge(picture, outputSize(picture, options));
      const { width, height } = source;
      const area = width * height;
      const data = new Float32Array(3 * area);
      await generateRows(pictureRows(source, alpha), options, async ({ top, planes }) => {
        for (const [c, plane] of planes.entries()) {
          const base = c * area + top * width;
          for (let i = 0; i < plane.length; i++) data[base + i] = plane[i]! * 0.5 + 0.5;
        }
      });
      signal?.throwIfAborted();
      onProgress?.({ phase: 'finish', done: 0, total: 1 });
      const planes = tensor('float32', [3, height, width], data);
      const matched = color === 'adain' && {
        statistics: {
          result: statistics(momentsOfPlanes(planes)),
          source: statistics(momentsOfPicture(source)),
        },
      };
      const rules = { color, detail, kernels, like: picture.data, ...matched };
      const result = await finishRows(planes, source, rules);
      return alpha ? withAlpha(result, alpha) : result;
    },
    async upscaleRaw(task, options = {}) {
      checkDetail(options.detail ?? 1);
      if (options.asPublished) {
        throw new UsageError(
          'as published: expected a picture that fits into memory, got a larger one.',
        );
      }
      return upscaleRaw(task, generateRows, options, kernels);
    },
    async dispose() {
      await generator.release();
      await kernels.release();
      await exact?.release();
      await published.release();
      await words.release();
      await model.close();
    },
  };
}

/** Pixels that are blended at a time, about: tiles of very wide pictures are less high. */
const mostBlended = 20e6;
/** But not less than this, or most of a tile would be overlap. */
const shortest = 512;

function checkDetail(detail: number): void {
  if (!(detail >= 0 && detail <= 1)) {
    throw new UsageError(`detail: expected a number from 0 to 1, got ${detail}.`);
  }
}
