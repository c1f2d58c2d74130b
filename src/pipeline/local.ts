/** @file Upscales pictures in this thread: enlarge, generate tile by tile, blend, match the colour. */
import { adainInPlace, wavelet } from '../image/color-fix.ts';
import { momentsOfPlanes, statistics } from '../image/color-statistics.ts';
import { colorChannels, fromPlanes, type Picture, toPlanes, withAlpha } from '../image/picture.ts';
import { latentReduction } from '../networks/osediff.ts';
import type { Tensors } from '../runtime/session.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { TileBlender } from './blend.ts';
import { cropTile } from './crop.ts';
import { chooseDevice } from './device.ts';
import { type Enlarged, enlarge } from './enlarge.ts';
import { generate } from './generate.ts';
import { openModel } from './model.ts';
import { latentNoise } from './noise.ts';
import { promptEncoder } from './prompt.ts';
import { publishedUpscaler } from './published.ts';
import { planTiles, type TilePlan } from './tiles.ts';
import type { ColorFix, ModelSummary, UpscaleOptions, UpscalerOptions } from './types.ts';

/** An upscaler in this thread, which a run blocks. */
export interface LocalUpscaler {
  readonly model: ModelSummary;
  upscale(picture: Picture, options?: UpscaleOptions): Promise<Picture>;
  dispose(): Promise<void>;
}

/** Opens a model; networks are prepared when the first picture tells which. */
export async function openUpscaler(options: UpscalerOptions = {}): Promise<LocalUpscaler> {
  const { model: name = 'compact', precision = 'fp32', loras = [] } = options;
  const device = chooseDevice(options.device ?? 'auto');
  const model = await openModel(name, loras);
  const compile = { device, precision };
  const generator = generate(model, compile);
  const prompts = promptEncoder(model, compile);
  const published = publishedUpscaler(model, compile, prompts);
  const { generator: config, tile: usualTile, overlap: usualOverlap } = model.config;
  const align = latentReduction(config);

  /** The generator over all tiles. @returns planes `[3, H, W]` in [-1, 1] */
  async function generateTiles(
    { planes }: Enlarged,
    plan: TilePlan,
    text: Tensors,
    options: UpscaleOptions,
  ): Promise<Tensor<'float32'>> {
    const { onProgress, signal, sample = false, seed = 0 } = options;
    const { x, y } = plan;
    const out = new Float32Array(planes.data.length);
    const blender = new TileBlender(plan, 3);
    const total = x.tiles.length * y.tiles.length;
    let done = 0;
    for (const [row, { start: top }] of y.tiles.entries()) {
      for (const [column, { start: left }] of x.tiles.entries()) {
        await breathe();
        signal?.throwIfAborted();
        const data = cropTile(planes.data, plan, column, row);
        const input = tensor('float32', [1, 3, y.length, x.length], data);
        const box = {
          left: left / align,
          top: top / align,
          width: x.length / align,
          height: y.length / align,
        };
        const noise = sample ? latentNoise(seed, config.vae.latentChannels, box) : undefined;
        const result = await generator.run(input, text, noise);
        const band = blender.add(column, row, result.data);
        for (const [c, plane] of band?.planes.entries() ?? []) {
          out.set(plane, (c * y.size + band!.top) * x.size);
        }
        onProgress?.({ phase: 'tiles', done: ++done, total });
      }
    }
    return tensor('float32', planes.shape, out);
  }

  return {
    model: { name: model.name, device, precision },
    async upscale(picture, options = {}) {
      const { scale = 4, prompt = '', color = 'adain', onProgress, signal } = options;
      if (options.asPublished) return published.upscale(picture, options);
      onProgress?.({ phase: 'prepare', done: 0, total: 1 });
      const enlarged = enlarge(picture, scale);
      const plan = planTiles({
        width: enlarged.color.width,
        height: enlarged.color.height,
        tile: options.tile ?? usualTile,
        overlap:
          options.overlap ?? Math.min(usualOverlap, Math.floor((options.tile ?? usualTile) / 4)),
        align,
        phase: align,
      });
      const text = await prompts.encode(prompt);
      const planes = await generateTiles(enlarged, plan, text, options);
      signal?.throwIfAborted();
      onProgress?.({ phase: 'finish', done: 0, total: 1 });
      matchColor(planes, enlarged.color, color);
      const channels = colorChannels(enlarged.color);
      const result = fromPlanes(planes, { like: picture.data, channels, range: 'unit' });
      return enlarged.alpha ? withAlpha(result, enlarged.alpha) : result;
    },
    async dispose() {
      await generator.release();
      await published.release();
      await model.close();
    },
  };
}

/** Lets messages and timers through: a run blocks the thread. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Brings planes from [-1, 1] to [0, 1], in place, and matches their colour to the input's. */
function matchColor(planes: Tensor<'float32'>, source: Picture, fix: ColorFix): void {
  const { data } = planes;
  for (let i = 0; i < data.length; i++) data[i] = data[i]! * 0.5 + 0.5;
  if (fix === 'none') return;
  const wanted = toPlanes(source, 'unit');
  if (fix === 'wavelet') data.set(wavelet(planes, wanted).data);
  else
    adainInPlace(planes, statistics(momentsOfPlanes(planes)), statistics(momentsOfPlanes(wanted)));
}
