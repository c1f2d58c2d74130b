/** @file Parity of the official program's tiling: `vectors/tiled.safetensors`, settings in `tiled.json`. */
import type { Graph, Value } from '../../src/graph/graph.ts';
import { scope, type Scope } from '../../src/graph/scope.ts';
import { gaussianWeights, type LatentTiling } from '../../src/networks/gaussian-tiles.ts';
import {
  decodeTiled,
  encodeMomentsTiled,
  isTiled,
  type VaeTiling,
} from '../../src/networks/tiled-vae.ts';
import { embeddedText } from '../../src/networks/transformer.ts';
import { unet } from '../../src/networks/unet.ts';
import { decode, encodeMoments, splitMoments } from '../../src/networks/vae.ts';
import { predictTiled } from '../../src/pipeline/latent-tiles.ts';
import type { Model } from '../../src/pipeline/model.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import {
  arraysOf,
  type Folder,
  has,
  jsonOf,
  modelName,
  modelOf,
  run,
  type Section,
} from './folder.ts';
import { compare } from './row.ts';

/** `tiled.json`. */
interface Settings {
  readonly unet?: readonly LatentTiling[];
  readonly timestep: number;
  readonly encoder?: VaeTiling;
  readonly decoder?: VaeTiling;
}

const inference = { training: false };

export const tiled: Section = {
  files: /^vectors\/([a-z0-9]+_)?tiled\.safetensors$/,
  inputs: /^(emb|unet\.\d+\.z|encoder\.x|decoder\.z)$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const model = await modelOf(folder, modelName(file));
    const settings = jsonOf(folder, file.replace('.safetensors', '.json')) as Settings;
    const arrays = arraysOf(folder, file);
    const emb = arrays.get('emb');
    for (const [key, want] of arrays) {
      const [, kind, index] = /^(gaussian|unet)\.(\d+)(?:\.eps)?$/.exec(key) ?? [];
      const input = arrays.get(
        key.replace(/\.(eps|mean|x)$/, key === 'encoder.mean' ? '.x' : '.z'),
      );
      let got: Tensor | undefined;
      if (kind === 'gaussian') {
        got = tensor('float64', want.shape, gaussianWeights(Number(index)));
      } else if (kind === 'unet' && input && emb && settings.unet?.[Number(index)]) {
        got = await noise(folder, model, input, emb, settings, settings.unet[Number(index)]!);
      } else if (key === 'encoder.mean' && input && settings.encoder) {
        got = await encoded(folder, model, input, settings.encoder);
      } else if (key === 'decoder.x' && input && settings.decoder) {
        got = await decoded(folder, model, input, settings.decoder);
      }
      const most = kind === 'gaussian' ? 1e-10 : folder.tolerance; // float64, computed here
      if (got) yield compare(file, key, want, [got], most);
    }
  },
};

function noise(
  folder: Folder,
  model: Model,
  latents: Tensor,
  emb: Tensor,
  { timestep }: Settings,
  tiling: LatentTiling,
): Promise<Tensor> {
  const config = model.config.generator.unet;
  return predictTiled(latents as Tensor<'float32'>, tiling, async (z) => {
    const result = await run(folder, model, inference, { z, emb }, (graph) => {
      const text = embeddedText(graph.input('emb', 'float32', emb.shape));
      const s = scope(graph, 'unet');
      graph.output('eps', unet(s, graph.input('z', 'float32', z.shape), timestep, text, config));
    });
    return result['eps'] as Tensor<'float32'>;
  });
}

function encoded(
  folder: Folder,
  model: Model,
  x: Tensor,
  tiling: VaeTiling,
): Promise<Tensor | undefined> {
  const config = model.config.generator.vae;
  return vaeOutput(folder, model, x, (s, input) => {
    const moments = tiles(x, tiling)
      ? encodeMomentsTiled(s, input, config, tiling)
      : encodeMoments(s, input, config);
    return splitMoments(moments).mean;
  });
}

function decoded(
  folder: Folder,
  model: Model,
  z: Tensor,
  tiling: VaeTiling,
): Promise<Tensor | undefined> {
  const config = model.config.generator.vae;
  return vaeOutput(folder, model, z, (s, input) =>
    tiles(z, tiling) ? decodeTiled(s, input, config, tiling) : decode(s, input, config),
  );
}

function tiles({ shape }: Tensor, tiling: VaeTiling): boolean {
  return isTiled(shape[2]!, shape[3]!, tiling);
}

async function vaeOutput(
  folder: Folder,
  model: Model,
  input: Tensor,
  build: (s: Scope, input: Value) => Value,
): Promise<Tensor | undefined> {
  const result = await run(folder, model, inference, { input }, (graph: Graph) => {
    graph.output('y', build(scope(graph, 'vae'), graph.input('input', 'float32', input.shape)));
  });
  return result['y'];
}
