/** @file Upscales as the official program does, for those who want the numbers of the paper's tables. */
import { fixColorOfBytes } from '../image/color-fix.ts';
import { convertDepth } from '../image/convert.ts';
import {
  alphaOf,
  fromPlanes,
  type Picture,
  toPlanes,
  withAlpha,
  withoutAlpha,
} from '../image/picture.ts';
import { resize, resizeLikeOfficial } from '../image/resample.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { type Scope, scope } from '../graph/scope.ts';
import { type LatentTiling, publishedTiling } from '../networks/gaussian-tiles.ts';
import { oneStep } from '../networks/schedule.ts';
import {
  decodeTiled,
  encodeMomentsTiled,
  isTiled,
  publishedDecoderTiling,
  publishedEncoderTiling,
  type VaeTiling,
} from '../networks/tiled-vae.ts';
import { givenText } from '../networks/transformer.ts';
import { unet } from '../networks/unet.ts';
import { decode, encodeMoments } from '../networks/vae.ts';
import { type Provider, providerOf } from '../runtime/provider.ts';
import type { Session, Tensors } from '../runtime/session.ts';
import { ConfigError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { compile, type CompileOptions } from './compile.ts';
import { predictTiled } from './latent-tiles.ts';
import type { Model } from './model.ts';
import { latentNoise } from './noise.ts';
import type { PromptEncoder } from './prompt.ts';
import type { PromptWords } from './prompt-words.ts';
import { pictureRows } from './rows.ts';
import type { UpscaleOptions } from './types.ts';

/** How the official program cuts its work up. */
export interface PublishedTiling {
  readonly encoder: VaeTiling;
  readonly decoder: VaeTiling;
  readonly unet: LatentTiling;
}

const official: PublishedTiling = {
  encoder: publishedEncoderTiling,
  decoder: publishedDecoderTiling,
  unet: publishedTiling,
};

/** Upscales as the official program, one picture after the other. */
export interface PublishedUpscaler {
  /** @returns bytes; RGB, with an enlarged alpha where the input has one */
  upscale(picture: Picture, options: UpscaleOptions): Promise<Picture>;
  release(): Promise<void>;
}

/** @param prompts the encoder of the same model @param words the prompt of each picture */
export function publishedUpscaler(
  model: Model,
  compileOptions: CompileOptions,
  prompts: PromptEncoder,
  words: Pick<PromptWords, 'of'>,
  tiling: PublishedTiling = official,
): PublishedUpscaler {
  const { generator: config } = model.config;
  const sessions = new Map<string, Session>();
  const provider = providerOf(compileOptions.device);

  /** A session of one part for one size; the last size of each part is kept. */
  async function session(
    part: string,
    shape: readonly number[],
    build: () => Graph,
  ): Promise<Session> {
    const key = `${part} ${shape.join('x')}`;
    const known = sessions.get(key);
    if (known) return known;
    for (const [old, other] of sessions) {
      if (!old.startsWith(`${part} `)) continue;
      sessions.delete(old);
      await other.release();
    }
    const made = await compile(build(), model, compileOptions);
    sessions.set(key, made);
    return made;
  }

  async function encode(x: Tensor<'float32'>): Promise<Tensor<'float32'>> {
    const { shape } = x;
    const tiled = isTiled(shape[2]!, shape[3]!, tiling.encoder);
    const run = await session('encoder', shape, () =>
      oneInput(provider, shape, 'vae', (s, v) =>
        tiled
          ? encodeMomentsTiled(s, v, config.vae, tiling.encoder)
          : encodeMoments(s, v, config.vae),
      ),
    );
    return (await run.run({ x }))['y'] as Tensor<'float32'>;
  }

  async function decodeLatents(x: Tensor<'float32'>): Promise<Tensor<'float32'>> {
    const { shape } = x;
    const tiled = isTiled(shape[2]!, shape[3]!, tiling.decoder);
    const run = await session('decoder', shape, () =>
      oneInput(provider, shape, 'vae', (s, v) =>
        tiled ? decodeTiled(s, v, config.vae, tiling.decoder) : decode(s, v, config.vae),
      ),
    );
    return (await run.run({ x }))['y'] as Tensor<'float32'>;
  }

  async function predict(z: Tensor<'float32'>, text: Tensors): Promise<Tensor<'float32'>> {
    const run = await session('unet', z.shape, () =>
      oneInput(provider, z.shape, 'unet', (s, v) =>
        unet(s, v, config.timestep, givenText(1, model.config.text?.positions ?? 1), config.unet),
      ),
    );
    return (await run.run({ x: z, ...text }))['y'] as Tensor<'float32'>;
  }

  return {
    async upscale(picture, options) {
      if (config.skip || config.spaceToDepth > 1) {
        throw new ConfigError(
          `${model.name}: expected a model in the layout of Stable Diffusion for --as-published, got one of our own. Leave the option out.`,
        );
      }
      const { scale = 4, prompt = '', color = 'adain', seed = 0, mean = false } = options;
      const { onProgress, signal } = options;
      const input = convertDepth(asRgb(withoutAlpha(picture)), new Uint8Array(0));
      const enlarged = resizeLikeOfficial(input, scale, 512);
      const planes = toPlanes(enlarged);
      const text = await prompts.encode(await words.of(pictureRows(enlarged, undefined), prompt));
      signal?.throwIfAborted();
      const moments = await encode({ ...planes, shape: [1, ...planes.shape] });
      const zL = posterior(moments, config.vae.scalingFactor, mean ? undefined : seed);
      const eps = await predictTiled(
        zL,
        tiling.unet,
        (z) => predict(z, text),
        (done, total) => {
          signal?.throwIfAborted();
          onProgress?.({ phase: 'tiles', done, total });
        },
      );
      signal?.throwIfAborted();
      const y = await decodeLatents(unscaledStep(zL, eps));
      const bytes = fromPlanes(
        { ...y, shape: y.shape.slice(1) },
        { like: new Uint8Array(0), channels: 3, rounding: 'truncate' },
      );
      const result = fixColorOfBytes(bytes, enlarged, color);
      const alpha = alphaOf(picture);
      if (!alpha) return result;
      return withAlpha(
        result,
        resize(convertDepth(alpha, new Uint8Array(0)), result.width, result.height),
      );
    },
    async release() {
      await Promise.all([...sessions.values()].map((s) => s.release()));
      sessions.clear();
    },
  };

  /** `z_H / s`. */
  function unscaledStep(zL: Tensor<'float32'>, eps: Tensor<'float32'>): Tensor<'float32'> {
    const { signal, noise } = oneStep(config.schedule, config.timestep);
    const { clip } = config.schedule;
    const data = zL.data.map((z, i) => {
      const zH = z * signal - eps.data[i]! * noise;
      const clipped = clip === undefined ? zH : Math.min(Math.max(zH, -clip), clip);
      return clipped / config.vae.scalingFactor;
    });
    return { ...zL, data };
  }
}

function oneInput(
  device: Provider,
  shape: readonly number[],
  part: string,
  build: (s: Scope, x: Value) => Value,
): Graph {
  const graph = new Graph({ device });
  graph.output('y', build(scope(graph, part), graph.input('x', 'float32', shape)));
  return graph;
}

function asRgb(picture: Picture): Picture {
  if (picture.channels === 3) return picture;
  return fromPlanes(toPlanes(picture), { like: picture.data, channels: 3 });
}

/** Scaled latents from moments: the mean, or a sample with the seed's noise. */
function posterior(
  moments: Tensor<'float32'>,
  factor: number,
  seed: number | undefined,
): Tensor<'float32'> {
  const [n, twice, height, width] = moments.shape as [number, number, number, number];
  const channels = twice / 2;
  const count = moments.data.length / 2;
  const data = moments.data.slice(0, count);
  if (seed !== undefined) {
    const noise = latentNoise(seed, channels, { left: 0, top: 0, width, height });
    for (let i = 0; i < count; i++) {
      const logvar = Math.min(Math.max(moments.data[count + i]!, -30), 20);
      data[i]! += Math.exp(logvar / 2) * noise.data[i]!;
    }
  }
  for (let i = 0; i < count; i++) data[i]! *= factor;
  return tensor('float32', [n, channels, height, width], data);
}
