/** @file Parity of the VAE, both ways: `vectors/vae.safetensors`. */
import type { Dim } from '../../src/graph/dims.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import {
  decode,
  encodeMean,
  encodeMoments,
  splitMoments,
  type VaeConfig,
  vaeReduction,
} from '../../src/networks/vae.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import {
  arraysOf,
  bothForms,
  divides,
  type Folder,
  has,
  modelName,
  modelOf,
  multiple,
  run,
  type Section,
} from './folder.ts';
import { compare } from './row.ts';

export const vae: Section = {
  files: /^vectors\/([a-z0-9]+_)?vae\.safetensors$/,
  inputs: /^(encode\.\d+\.x|decode\.\d+\.z)$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const arrays = arraysOf(folder, file);
    for (const [key, input] of arrays) {
      const [, which] = /^(encode\.\d+|decode\.\d+)\.(?:x|z)$/.exec(key) ?? [];
      if (which === undefined || !this.inputs.test(key)) continue;
      const results = await allForms(folder, modelName(file), which.startsWith('encode'), input);
      for (const name of ['mean', 'logvar', 'x']) {
        const want = arrays.get(`${which}.${name}`);
        if (want === undefined || this.inputs.test(`${which}.${name}`)) continue;
        // The folded form gives the mean only, as `folded`.
        const got = results.flatMap((r) =>
          name === 'mean' ? [r['mean'], r['folded']] : [r[name]],
        );
        yield compare(file, `${which}.${name}`, want, got, folder.tolerance);
      }
    }
  },
};

/** The outputs for inference and training, and from a graph for every size where there is one. */
async function allForms(
  folder: Folder,
  name: string,
  encodes: boolean,
  input: Tensor,
): Promise<Tensors[]> {
  const model = await modelOf(folder, name);
  const config = model.config.generator.vae;
  const build = encodes ? buildEncoder : buildDecoder;
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const factor = encodes ? vaeReduction(config) : 1;
  const symbolic: Dim[] = ['n', channels, multiple(factor, 'h'), multiple(factor, 'w')];
  const results: Tensors[] = [];
  for (const form of bothForms) {
    for (const shape of [input.shape, symbolic]) {
      if (shape === symbolic && (form.training || !divides(factor, height, width))) continue;
      results.push(
        await run(folder, model, form, { input }, (graph) => build(graph, shape, config)),
      );
    }
  }
  return results;
}

function buildEncoder(graph: Graph, shape: readonly Dim[], config: VaeConfig): void {
  const x = graph.input('input', 'float32', shape);
  const s = scope(graph, 'vae');
  const { mean, logvar } = splitMoments(encodeMoments(s, x, config));
  graph.output('mean', mean);
  graph.output('logvar', logvar);
  graph.output('folded', encodeMean(s, x, config, 1));
}

function buildDecoder(graph: Graph, shape: readonly Dim[], config: VaeConfig): void {
  graph.output('x', decode(scope(graph, 'vae'), graph.input('input', 'float32', shape), config));
}
