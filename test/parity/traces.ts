/** @file Parity of every module on the way through the networks: `vectors/traces.safetensors`. */
import { type Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { sinusoid } from '../../src/networks/timestep.ts';
import { embeddedText } from '../../src/networks/transformer.ts';
import { unet } from '../../src/networks/unet.ts';
import { decode, encodeMoments } from '../../src/networks/vae.ts';
import type { Model } from '../../src/pipeline/model.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';
import {
  arraysOf,
  bothForms,
  type Folder,
  has,
  modelName,
  modelOf,
  run,
  type Section,
} from './folder.ts';
import { compare } from './row.ts';

type Arrays = ReadonlyMap<string, Tensor>;

export const traces: Section = {
  files: /^vectors\/([a-z0-9]+_)?traces\.safetensors$/,
  inputs: /^in\./,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const model = await modelOf(folder, modelName(file));
    const arrays = arraysOf(folder, file);
    const timesteps = timestepsOf(arrays, model);
    const results = await traced(folder, model, arrays, timesteps);
    for (const [key, want] of arrays) {
      if (this.inputs.test(key)) continue;
      const got = results.flatMap((result) => (result[key] ? [result[key]] : []));
      if (key === 'unet.time_proj') got.push(sinusoids(timesteps, model));
      // What no network here computes by this name is left over, as not covered.
      if (got.length > 0) yield compare(file, key, want, got, folder.tolerance);
    }
  },
};

/** The timesteps of the call, which nothing tells but the sinusoids they have become. */
function timestepsOf(arrays: Arrays, model: Model): readonly number[] {
  const want = arrays.get('unet.time_proj');
  if (!want) return [500];
  const [rows, width] = want.shape as [number, number];
  const known = [...model.config.generator.schedule.alphasCumprod.keys()].map((t) => ({
    t,
    values: sinusoids([t], model).data,
  }));
  return Array.from({ length: rows }, (_, row) => {
    const values = (want.data as Float32Array).subarray(row * width, (row + 1) * width);
    const off = known.map((k) => difference(k.values, values).largest);
    return known[off.indexOf(Math.min(...off))]!.t;
  });
}

function sinusoids(timesteps: readonly number[], { config }: Model): Tensor<'float32'> {
  const { blockOutChannels, sinusoid: options } = config.generator.unet;
  const width = blockOutChannels[0]!;
  const rows = timesteps.map((t) => sinusoid(t, width, options));
  return float32(
    [rows.length, width],
    rows.flatMap((row) => [...row]),
  );
}

/** What the modules compute, in the forms that each network comes in. */
async function traced(
  folder: Folder,
  model: Model,
  arrays: Arrays,
  timesteps: readonly number[],
): Promise<readonly Tensors[]> {
  const { vae, unet: config } = model.config.generator;
  const [z, emb] = [arrays.get('in.unet.z'), arrays.get('in.unet.emb')];
  const pictures = { x: arrays.get('in.vae.x'), z: arrays.get('in.vae.z') };
  const given = sinusoids(timesteps, model);
  const results: Tensors[] = [];
  for (const form of bothForms) {
    const watch = async (
      feeds: Tensors,
      build: (graph: Graph, input: (name: string) => Value) => void,
    ): Promise<void> => {
      const result = await run(folder, model, form, feeds, (graph) => {
        build(graph, (name) => graph.input(name, 'float32', feeds[name]!.shape));
        for (const key of arrays.keys()) {
          const value = graph.modules.get(moduleName(key));
          if (value) graph.output(`trace/${key}`, value);
        }
      });
      results.push(
        Object.fromEntries(
          Object.entries(result).map(([name, x]) => [name.slice('trace/'.length), x]),
        ),
      );
    };
    if (z && emb) {
      await watch({ z, emb, t: given }, (graph, input) => {
        const text = embeddedText(input('emb'));
        unet(scope(graph, 'unet'), input('z'), input('t'), text, config);
      });
      // For training a timestep known beforehand is no other form.
      const [t, ...others] = new Set(timesteps);
      if (!form.training && t !== undefined && others.length === 0) {
        await watch({ z, emb }, (graph, input) => {
          unet(scope(graph, 'unet'), input('z'), t, embeddedText(input('emb')), config);
        });
      }
    }
    if (pictures.x) {
      await watch({ x: pictures.x }, (graph, input) => {
        encodeMoments(scope(graph, 'vae'), input('x'), vae);
      });
    }
    if (pictures.z) {
      await watch({ z: pictures.z }, (graph, input) => {
        decode(scope(graph, 'vae'), input('z'), vae);
      });
    }
  }
  return results;
}

/** The module here whose output is that of diffusers' module: some have their last layer's. */
function moduleName(key: string): string {
  return key
    .replace(/\.(down|up)samplers\.(\d+)$/, '.$1samplers.$2.conv')
    .replace(/\.(attn\d)$/, '.$1.to_out.0')
    .replace(/\.ff$/, '.ff.net.2')
    .replace(/\.time_embedding$/, '.time_embedding.linear_2');
}
