/**
 * @file Networks of the small models in test/fixtures/tiny against what pip's diffusers and
 * transformers make of the same weights (see the README there).
 */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { clipText } from '../../src/networks/clip-text.ts';
import { type ModelConfig, modelConfig } from '../../src/networks/model-config.ts';
import { generator } from '../../src/networks/osediff.ts';
import { sinusoid } from '../../src/networks/timestep.ts';
import { embeddedText, givenText, type TextContext } from '../../src/networks/transformer.ts';
import { unet } from '../../src/networks/unet.ts';
import { decode, encodeMean, encodeMoments, splitMoments } from '../../src/networks/vae.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { openPart, type PartName, readConfigs } from '../../src/weights/model-folder.ts';
import { difference } from '../helpers/difference.ts';
import { readGolden } from '../helpers/golden.ts';
import { runGraph, type Weights } from '../helpers/run-graph.ts';

const root = fileURLToPath(new URL('../fixtures/tiny/', import.meta.url));

/** Of the largest value of each array; float32 against float64 of the same sums stays below 5e-6. */
const relative = 2e-5;

interface Model {
  readonly config: ModelConfig;
  readonly weights: Weights;
}

async function load(name: string): Promise<Model> {
  const folder = `${root}models/${name}`;
  const { parts, scheduler, own } = await readConfigs(folder);
  const config = modelConfig({
    unet: parts.get('unet')!,
    vae: parts.get('vae')!,
    textEncoder: parts.get('text_encoder'),
    scheduler,
    own,
  });
  const weights = new Map<string, Tensor<'float32'>>();
  for (const part of parts.keys()) {
    for (const [key, weight] of await readPart(folder, part)) weights.set(key, weight);
  }
  return { config, weights };
}

async function readPart(folder: string, part: PartName): Promise<Weights> {
  const source = await openPart(folder, part);
  try {
    const weights = new Map<string, Tensor<'float32'>>();
    for (const key of source.entries.keys()) {
      weights.set(`${part}.${key}`, toFloat32(await source.read(key)));
    }
    return weights;
  } finally {
    await source.close();
  }
}

type Arrays = ReadonlyMap<string, Tensor>;

function vectors(name: string): Arrays {
  return readGolden(`${root}vectors/${name}.safetensors`);
}

/** How far `got` is off, in units of the largest value of `want`; infinite for another shape. */
function off(want: Tensor, got: Tensor | undefined): number {
  if (want.shape.join() !== got?.shape.join()) return Number.POSITIVE_INFINITY;
  const [a, b] = [toFloat32(want).data, toFloat32(got).data];
  const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return difference(a, b).largest / scale;
}

const agrees = test.macro({
  title: (_, part: string, name: string, file: string) => `${part} of ${name}: ${file}`,
  async exec(t, part: keyof typeof runs, name: string, file: string) {
    const model = await load(name);
    const arrays = vectors(file);
    const compared = new Set<string>();
    for await (const [key, got] of runs[part](model, arrays)) {
      const error = off(arrays.get(key)!, got);
      t.true(error <= relative, `${key} is off by ${error} of its largest value`);
      compared.add(key);
    }
    t.deepEqual([...compared].sort(), outputs(arrays, part));
  },
});

type Results = AsyncGenerator<readonly [key: string, got: Tensor | undefined]>;

/** What of a file is not an input. */
function outputs(arrays: Arrays, part: keyof typeof runs): string[] {
  const inputs = /^(input_ids|(\d+|encode\.\d+)\.(x|x_l|emb)|(\d+|decode\.\d+)\.z)$/;
  const isOutput = (key: string): boolean =>
    !inputs.test(key) && (part !== 'generator' || /^\d+\.base\./.test(key));
  return [...arrays.keys()].filter(isOutput).sort();
}

const runs = {
  async *unet({ config, weights }: Model, arrays: Arrays): Results {
    const { unet: c } = config.generator;
    for (const key of arrays.keys()) {
      const [, i, times] = /^(\d+)\.eps_t(.+)$/.exec(key) ?? [];
      if (times === undefined) continue;
      const timesteps = times.split('_t').map(Number);
      const z = arrays.get(`${i}.z`)!;
      const rows = timesteps.map((t) => sinusoid(t, c.blockOutChannels[0]!, c.sinusoid));
      const t = float32(
        [rows.length, rows[0]!.length],
        rows.flatMap((row) => [...row]),
      );
      const graph = new Graph({ device: 'cpu', training: false });
      const feeds: Record<string, Tensor> = { z, t };
      const text = textOf(graph, arrays.get(`${i}.emb`), feeds);
      const given = graph.input('t', 'float32', t.shape);
      const noise = unet(
        scope(graph, 'unet'),
        graph.input('z', 'float32', z.shape),
        given,
        text,
        c,
      );
      graph.output('eps', noise);
      yield [key, (await runGraph(graph, feeds, weights))['eps']];
    }
  },

  async *vae({ config, weights }: Model, arrays: Arrays): Results {
    const { vae: c } = config.generator;
    for (const [key, input] of arrays) {
      const [, call, kind] = /^((?:encode|decode)\.\d+)\.(x|z)$/.exec(key) ?? [];
      if (call === undefined || (kind === 'x') !== call.startsWith('encode')) continue;
      const results = await oneInput(input, weights, (graph, x) => {
        const s = scope(graph, 'vae');
        if (kind === 'z') return { x: decode(s, x, c) };
        const { mean, logvar } = splitMoments(encodeMoments(s, x, c));
        return { mean, logvar, folded: encodeMean(s, x, c, 1) };
      });
      for (const [name, got] of Object.entries(results)) {
        yield [`${call}.${name === 'folded' ? 'mean' : name}`, got];
      }
    }
  },

  async *text({ config, weights }: Model, arrays: Arrays): Results {
    const ids = arrays.get('input_ids')!;
    const graph = new Graph({ device: 'cpu', training: false });
    const input = graph.input('ids', 'int64', ids.shape);
    graph.output('last', clipText(scope(graph, 'text_encoder'), input, config.text!));
    yield ['last_hidden_state', (await runGraph(graph, { ids }, weights))['last']];
  },

  async *generator({ config, weights }: Model, arrays: Arrays): Results {
    const x = arrays.get('0.x_l')!;
    const graph = new Graph({ device: 'cpu', training: false });
    const feeds: Record<string, Tensor> = { x };
    const text = textOf(graph, arrays.get('0.emb'), feeds);
    const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
    const input = graph.input('x', 'float32', x.shape);
    const g = generator(scopes, input, text, config.generator);
    const named = { z_l: g.zL, eps: g.eps, z_h: g.zH, x_h: g.xH };
    for (const [name, value] of Object.entries(named)) graph.output(name, value);
    const results = await runGraph(graph, feeds, weights);
    for (const name of Object.keys(named)) {
      if (arrays.has(`0.base.${name}`)) yield [`0.base.${name}`, results[name]];
    }
  },
};

/** The text's keys and values; models without cross-attention never ask for them. */
function textOf(graph: Graph, emb: Tensor | undefined, feeds: Record<string, Tensor>): TextContext {
  if (!emb) return givenText(1, 77);
  feeds['emb'] = emb;
  return embeddedText(graph.input('emb', 'float32', emb.shape));
}

async function oneInput(
  input: Tensor,
  weights: Weights,
  build: (graph: Graph, x: Value) => Readonly<Record<string, Value>>,
): Promise<Tensors> {
  const graph = new Graph({ device: 'cpu', training: false });
  const values = build(graph, graph.input('input', 'float32', input.shape));
  for (const [name, value] of Object.entries(values)) graph.output(name, value);
  return runGraph(graph, { input }, weights);
}

test(agrees, 'unet', 'tiny', 'unet');
test(agrees, 'unet', 'tiny-sd1', 'sd1_unet');
test(agrees, 'unet', 'tiny-compact', 'compact_unet');
test(agrees, 'vae', 'tiny', 'vae');
test(agrees, 'vae', 'tiny-sd1', 'sd1_vae');
test(agrees, 'vae', 'tiny-compact', 'compact_vae');
test(agrees, 'text', 'tiny', 'text_encoder');
test(agrees, 'generator', 'tiny', 'generator');
test(agrees, 'generator', 'tiny-compact', 'compact_generator');
