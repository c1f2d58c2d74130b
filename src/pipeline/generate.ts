/** @file The generator as sessions: one for every size that divides evenly, others as they come. */
import type { Dim } from '../graph/dims.ts';
import { Graph } from '../graph/graph.ts';
import { scope } from '../graph/scope.ts';
import { evenReduction, generator, latentReduction } from '../networks/osediff.ts';
import { givenText } from '../networks/transformer.ts';
import { providerOf } from '../runtime/provider.ts';
import type { Session, Tensors } from '../runtime/session.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { compile, type CompileOptions } from './compile.ts';
import type { Model } from './model.ts';

/** Runs the generator on pictures or tiles of any size that the latents' grid divides. */
export interface Generate {
  /**
   * @param x `[N, 3, H, W]` in [-1, 1]
   * @param text from the prompt encoder, for one picture
   * @param noise `[N, latent, h, w]` to sample the posterior with; without it, its mean
   * @returns `[N, 3, H, W]` in [-1, 1]
   */
  run(x: Tensor<'float32'>, text: Tensors, noise?: Tensor<'float32'>): Promise<Tensor<'float32'>>;
  release(): Promise<void>;
}

/** Sessions are made when first needed; sizes that do not divide evenly keep only the last. */
export function generate(model: Model, options: CompileOptions): Generate {
  const sessions = new Map<string, Promise<Session>>();
  const { generator: config } = model.config;
  const even = evenReduction(config);
  const fixed = providerOf(options.device) !== 'cpu';

  const prepare = async (shape: readonly number[], sample: boolean): Promise<Session> => {
    const [, , height, width] = shape as [number, number, number, number];
    // GPUs want to know sizes: CUDA's convolutions are chosen by them, WebGPU's attention is cut by them.
    const symbolic = !fixed && height % even === 0 && width % even === 0;
    const dims: Dim[] = symbolic ? ['n', 3, multiple(even, 'h'), multiple(even, 'w')] : [...shape];
    const key = `${dims.join()} ${sample}`;
    const known = sessions.get(key);
    if (known) return known;
    for (const [old, session] of sessions) {
      if (old.startsWith('n,') && symbolic) continue;
      sessions.delete(old);
      await (await session).release();
    }
    const session = compile(tileGraph(model, dims, sample, options), model, options);
    sessions.set(key, session);
    session.catch(() => sessions.delete(key));
    return session;
  };

  return {
    async run(x, text, noise) {
      const session = await prepare(x.shape, noise !== undefined);
      const feeds = { x, ...text, ...(noise ? { noise } : {}) };
      return (await session.run(feeds))['x_h'] as Tensor<'float32'>;
    },
    async release() {
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
}

function multiple(factor: number, symbol: string): Dim {
  return factor === 1 ? symbol : `${factor}*${symbol}`;
}

function tileGraph(
  { config }: Model,
  dims: readonly Dim[],
  sample: boolean,
  { device, precision }: CompileOptions,
): Graph {
  const { generator: g, text } = config;
  const provider = providerOf(device);
  const graph = new Graph({ device: provider, half: provider !== 'cpu' && precision === 'fp16' });
  const x = graph.input('x', 'float32', dims);
  const reduction = latentReduction(g);
  const latent = (dim: Dim): Dim =>
    typeof dim === 'number'
      ? dim / reduction
      : multiple(evenReduction(g) / reduction, dim.replace(/^\d+\*/, ''));
  const noiseDims = [dims[0]!, g.vae.latentChannels, latent(dims[2]!), latent(dims[3]!)];
  const noise = sample ? graph.input('noise', 'float32', noiseDims) : undefined;
  const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
  graph.output('x_h', generator(scopes, x, givenText(dims[0]!, text?.positions ?? 1), g, noise).xH);
  return graph;
}
