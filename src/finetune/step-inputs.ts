/** @file The inputs of a training graph beside its parameters, and what is fed to them. */
import type { Graph, Value } from '../graph/graph.ts';
import { latentReduction } from '../networks/osediff.ts';
import { sinusoid } from '../networks/timestep.ts';
import { embeddedText, type TextContext } from '../networks/transformer.ts';
import type { UnetConfig } from '../networks/unet-config.ts';
import { float32, type Tensor } from '../tensor/tensor.ts';
import type { Algorithm1Config } from './algorithm1-config.ts';
import type { Diffused } from './vsd.ts';

type Float = Tensor<'float32'>;

/** Whether any block of a network attends to the text. */
export function usesText({ mid, downAttention, upAttention }: UnetConfig): boolean {
  return [...downAttention, ...upAttention, mid === 'UNetMidBlock2DCrossAttn'].some(Boolean);
}

/** The text of a network; one that does not attend to any never asks. */
export function contextOf(embedding: Value | undefined): TextContext {
  const nothing = (): never => {
    throw new Error('a network without attention to text asked for it');
  };
  return embedding ? embeddedText(embedding) : { keys: nothing, values: nothing };
}

/** An input `[N, tokens, D]`. */
export function textInput(
  graph: Graph,
  name: string,
  { batch, tokens }: Algorithm1Config,
  { crossAttentionDim }: UnetConfig,
): Value {
  return graph.input(name, 'float32', [batch, tokens, crossAttentionDim]);
}

/** An input of the latents' shape. */
export function latentInput(graph: Graph, name: string, config: Algorithm1Config): Value {
  const { batch, height, width, generator } = config;
  const reduction = latentReduction(generator);
  const { latentChannels } = generator.vae;
  return graph.input(name, 'float32', [
    batch,
    latentChannels,
    height / reduction,
    width / reduction,
  ]);
}

/** The inputs of a noisy version of latents: `<name>.noise` and so on. */
export function diffusedInput(
  graph: Graph,
  name: string,
  config: Algorithm1Config,
  prior: UnetConfig,
): Diffused {
  const one = (part: string): Value =>
    graph.input(`${name}.${part}`, 'float32', [config.batch, 1, 1, 1]);
  return {
    sinusoids: graph.input(`${name}.sinusoids`, 'float32', [
      config.batch,
      prior.blockOutChannels[0]!,
    ]),
    signal: one('signal'),
    sigma: one('sigma'),
    noise: latentInput(graph, `${name}.noise`, config),
  };
}

/** A timestep for each sample, and standard normal noise of the latents' shape. */
export interface Noise {
  readonly timesteps: readonly number[];
  readonly noise: Float;
}

/** What {@link diffusedInput} is fed. */
export function diffusedFeeds(
  name: string,
  { timesteps, noise }: Noise,
  { generator, prior }: Algorithm1Config,
): Record<string, Float> {
  const net = prior ?? generator.unet;
  const { alphasCumprod } = generator.schedule;
  const width = net.blockOutChannels[0]!;
  const column = (of: (signal: number) => number): Float =>
    float32(
      [timesteps.length, 1, 1, 1],
      timesteps.map((t) => Math.sqrt(of(alphasCumprod[t]!))),
    );
  return {
    [`${name}.sinusoids`]: float32(
      [timesteps.length, width],
      timesteps.flatMap((t) => [...sinusoid(t, width, net.sinusoid)]),
    ),
    [`${name}.signal`]: column((signal) => signal),
    [`${name}.sigma`]: column((signal) => 1 - signal),
    [`${name}.noise`]: noise,
  };
}
