/**
 * @file Parity of the one-step generator: `vectors/generator.safetensors`, as the base model, with LoRA
 * beside the weights as in training, and with LoRA merged as for use.
 */
import type { ReadWeight } from '../../src/graph/bind.ts';
import type { Dim } from '../../src/graph/dims.ts';
import { type Adapters, scope } from '../../src/graph/scope.ts';
import { evenReduction, generator as buildGenerator } from '../../src/networks/osediff.ts';
import type { Model } from '../../src/pipeline/model.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Lora } from '../../src/weights/lora.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import {
  arraysOf,
  baseModel,
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
import { loraFiles } from './lora.ts';
import { compare, largest, type Row } from './row.ts';
import { textOf } from './unet.ts';

type Arrays = ReadonlyMap<string, Tensor>;

export const generator: Section = {
  files: /^vectors\/([a-z0-9]+_)?generator\.safetensors$/,
  inputs: /^\d+\.(x_l|emb)$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const arrays = arraysOf(folder, file);
    const base = await modelOf(folder, modelName(file));
    const loras = modelName(file) === baseModel ? loraFiles(folder) : [];
    yield* calls(folder, file, arrays, { name: 'base', model: base, training: [false, true] });
    if (loras.length === 0) return;
    const beside = await loraBeside(folder, base, loras);
    yield* calls(folder, file, arrays, { name: 'lora', ...beside, training: [true] });
    const merged = await modelOf(folder, modelName(file), loras);
    yield* calls(folder, file, arrays, { name: 'merged', model: merged, training: [false] });
    for (const [key, want] of arrays) {
      if (!key.startsWith('merged.')) continue;
      const got = await merged.read(key.slice('merged.'.length));
      yield compare(file, key, want, [got], 1e-6); // a product over the rank, in float32
    }
  },
};

/** A generator whose outputs have this name in the file. */
interface Variant {
  readonly name: 'base' | 'lora' | 'merged';
  readonly model: Model;
  readonly adapters?: Adapters;
  readonly training: readonly boolean[];
}

const outputs = { z_l: 'zL', eps: 'eps', z_h: 'zH', x_h: 'xH' } as const;

async function* calls(
  folder: Folder,
  file: string,
  arrays: Arrays,
  variant: Variant,
): AsyncGenerator<Row> {
  for (const [input, x] of arrays) {
    const [, i] = /^(\d+)\.x_l$/.exec(input) ?? [];
    const emb = arrays.get(`${i}.emb`);
    if (i === undefined) continue;
    const wanted = Object.keys(outputs).filter((name) =>
      arrays.has(`${i}.${variant.name}.${name}`),
    );
    if (wanted.length === 0) continue;
    const results = await generate(folder, variant, x, emb);
    for (const name of wanted) {
      const key = `${i}.${variant.name}.${name}`;
      const want = arrays.get(key)!;
      const tolerance = name === 'z_h' ? folder.relative * largest(want) : folder.tolerance;
      yield compare(
        file,
        key,
        want,
        results.map((result) => result[name]),
        tolerance,
      );
    }
  }
}

async function generate(
  folder: Folder,
  { model, adapters, training }: Variant,
  x: Tensor,
  emb: Tensor | undefined,
): Promise<Tensors[]> {
  const config = model.config.generator;
  const even = evenReduction(config);
  const results: Tensors[] = [];
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const symbolic: Dim[] = ['n', channels, multiple(even, 'h'), multiple(even, 'w')];
  for (const form of bothForms.filter((f) => training.includes(f.training))) {
    for (const shape of [x.shape, symbolic]) {
      if (shape === symbolic && (form.training || !divides(even, height, width))) continue;
      const result = await run(folder, model, form, { x, ...(emb ? { emb } : {}) }, (graph) => {
        const scopes = {
          vae: scope(graph, 'vae', adapters),
          unet: scope(graph, 'unet', adapters),
        };
        const text = textOf(graph, emb, shape[0]!);
        const g = buildGenerator(scopes, graph.input('x', 'float32', shape), text, config);
        for (const [name, output] of Object.entries(outputs)) graph.output(name, g[output]);
      });
      results.push(result);
    }
  }
  return results;
}

/** The base with a LoRA beside its weights, under the name `default`. */
async function loraBeside(
  folder: Folder,
  base: Model,
  files: readonly string[],
): Promise<Pick<Variant, 'model' | 'adapters'>> {
  const loras: Lora[] = [];
  for (const file of files) loras.push(await readLora(`${folder.root}/${file}`));
  const layerOf = (path: string) =>
    loras.map(({ layers }) => layers.get(path)).find((layer) => layer !== undefined);
  const read: ReadWeight = async (key) => {
    const [, path, factor] = /^(.+)\.lora_([AB])\.default\.weight$/.exec(key) ?? [];
    if (path !== undefined) return layerOf(path)![factor === 'A' ? 'down' : 'up'];
    const replaced = loras.map((lora) => lora.replaced.get(key)).find((w) => w !== undefined);
    return replaced ?? base.read(key);
  };
  const adapters: Adapters = {
    on: (path) => {
      const layer = layerOf(path);
      return layer ? [{ name: 'default', rank: layer.rank, scale: layer.scale }] : [];
    },
  };
  return { model: { ...base, read }, adapters };
}
