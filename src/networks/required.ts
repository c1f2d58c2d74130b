/** @file The tensors a checkpoint must hold for each part of a model, found by building the part. */
import { Graph, type Value } from '../graph/graph.ts';
import { type Scope, scope } from '../graph/scope.ts';
import { type ClipTextConfig, clipText } from './clip-text.ts';
import { swinTagger } from './swin-tagger.ts';
import type { TaggerConfig } from './swin-tagger-config.ts';
import { embeddedText } from './transformer.ts';
import { timeWidth, unet } from './unet.ts';
import type { UnetConfig } from './unet-config.ts';
import { decode, encodeMoments, type VaeConfig, vaeReduction } from './vae.ts';

/** Shapes by key, without the part's name: `conv_in.weight`. */
export type Required = ReadonlyMap<string, readonly number[]>;

/** What a network asks a checkpoint for, whose keys `build`'s scope spells. */
export function requiredBy(build: (s: Scope, graph: Graph) => void): Required {
  const graph = new Graph({ training: true });
  build(scope(graph, ''), graph);
  const required = new Map<string, readonly number[]>();
  for (const value of graph.weights.values()) {
    for (const { key, shape } of value.weight!.sources) required.set(key, shape);
  }
  return required;
}

export function requiredByUnet(config: UnetConfig): Required {
  return requiredBy((s, graph) => {
    const side = 2 ** (config.blockOutChannels.length - 1);
    const float = (name: string, shape: number[]): Value => graph.input(name, 'float32', shape);
    const z = float('z', [1, config.inChannels, side, side]);
    const text = embeddedText(float('text', [1, 1, config.crossAttentionDim]));
    unet(s, z, float('t', [1, timeWidth(config) / 4]), text, config);
  });
}

export function requiredByVae(config: VaeConfig): Required {
  return requiredBy((s, graph) => {
    const side = vaeReduction(config);
    encodeMoments(s, graph.input('x', 'float32', [1, config.inChannels, side, side]), config);
    decode(s, graph.input('z', 'float32', [1, config.latentChannels, 1, 1]), config);
  });
}

export function requiredByText(config: ClipTextConfig): Required {
  return requiredBy((s, graph) => {
    clipText(s, graph.input('ids', 'int64', [1, config.positions]), config);
  });
}

export function requiredByTagger(config: TaggerConfig): Required {
  return requiredBy((s, graph) => {
    const { imageSize } = config;
    swinTagger(s, graph.input('x', 'float32', [1, 3, imageSize, imageSize]), config);
  });
}
