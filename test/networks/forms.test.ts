/** @file One network in several forms: any size, LoRA beside the weights or in them, modules by name. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Graph } from '../../src/graph/graph.ts';
import { type Adapters, scope } from '../../src/graph/scope.ts';
import { generator } from '../../src/networks/osediff.ts';
import { requiredByText, requiredByUnet, requiredByVae } from '../../src/networks/required.ts';
import { embeddedText } from '../../src/networks/transformer.ts';
import { unet } from '../../src/networks/unet.ts';
import { decode } from '../../src/networks/vae.ts';
import { type Model, openModel } from '../../src/pipeline/model.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { openPart } from '../../src/weights/model-folder.ts';
import { difference } from '../helpers/difference.ts';
import { graphSession, runGraph, type Weights } from '../helpers/run-graph.ts';

const fixture = (path: string): string =>
  fileURLToPath(new URL(`../fixtures/tiny/${path}`, import.meta.url));

/** Every weight that a graph asks for. */
async function weightsOf(graph: Graph, read: Model['read']): Promise<Weights> {
  const weights = new Map<string, Tensor<'float32'>>();
  for (const { weight } of graph.weights.values()) {
    for (const { key } of weight!.sources) weights.set(key, await read(key));
  }
  return weights;
}

function waves(...shape: number[]): Tensor<'float32'> {
  const count = elementCount(shape);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => Math.sin(i * 0.7) + Math.cos(i * 0.031)),
  );
}

function largest(a: Tensor | undefined, b: Tensor | undefined): number {
  return difference(a!.data as Float32Array, b!.data as Float32Array).largest;
}

test('one graph of the UNet serves every size and batch', async (t) => {
  const model = await openModel(fixture('models/tiny'));
  const config = model.config.generator.unet;
  const build = (z: readonly (number | string)[], batch: number | string): Graph => {
    const graph = new Graph();
    const text = embeddedText(graph.input('emb', 'float32', [batch, 77, 16]));
    graph.output(
      'eps',
      unet(scope(graph, 'unet'), graph.input('z', 'float32', z), 999, text, config),
    );
    return graph;
  };
  const any = build(['n', 4, '8*h', '8*w'], 'n');
  const session = await graphSession(any, await weightsOf(any, model.read));
  for (const [n, height, width] of [
    [1, 8, 8],
    [2, 8, 24],
  ] as const) {
    const feeds = { z: waves(n, 4, height, width), emb: waves(n, 77, 16) };
    const fixed = build(feeds.z.shape, n);
    const expected = await runGraph(fixed, feeds, await weightsOf(fixed, model.read));
    const got = await session.run(feeds);
    t.deepEqual(got['eps']!.shape, expected['eps']!.shape);
    t.true(largest(got['eps'], expected['eps']) < 1e-5);
  }
  await session.release();
  await model.close();
});

test('a size that does not halve evenly is built for itself only', async (t) => {
  const model = await openModel(fixture('models/tiny'));
  const config = model.config.generator.unet;
  const graph = new Graph();
  const text = embeddedText(graph.input('emb', 'float32', [1, 77, 16]));
  const z = graph.input('z', 'float32', [1, 4, 5, 11]);
  const eps = unet(scope(graph, 'unet'), z, 999, text, config);
  t.deepEqual(eps.shape, [1, 4, 5, 11]);
  const any = new Graph();
  t.throws(
    () => {
      const text = embeddedText(any.input('emb', 'float32', [1, 77, 16]));
      unet(scope(any, 'unet'), any.input('z', 'float32', [1, 4, 'h', 'w']), 999, text, config);
    },
    { message: /Declare the size as a multiple, or build for a fixed size/ },
  );
  await model.close();
});

test('LoRA beside the weights, as in training, gives what LoRA merged into them gives', async (t) => {
  const file = fixture('lora/osediff.pkl');
  const [base, merged] = [
    await openModel(fixture('models/tiny')),
    await openModel(fixture('models/tiny'), [file]),
  ];
  const lora = await readLora(file);
  const adapters: Adapters = {
    on: (path) => {
      const layer = lora.layers.get(path);
      return layer ? [{ name: 'default', rank: layer.rank, scale: layer.scale }] : [];
    },
  };
  const read: Model['read'] = async (key) => {
    const [, path, factor] = /^(.+)\.lora_([AB])\.default\.weight$/.exec(key) ?? [];
    const layer = lora.layers.get(path ?? '');
    if (layer) return factor === 'A' ? layer.down : layer.up;
    return lora.replaced.get(key) ?? base.read(key);
  };
  const feeds = { x: waves(1, 3, 64, 64), emb: waves(1, 77, 16) };
  const run = async (
    training: boolean,
    from: Model['read'],
    beside?: Adapters,
  ): Promise<Tensors> => {
    const graph = new Graph({ training });
    const scopes = { vae: scope(graph, 'vae', beside), unet: scope(graph, 'unet', beside) };
    const text = embeddedText(graph.input('emb', 'float32', feeds.emb.shape));
    const x = graph.input('x', 'float32', feeds.x.shape);
    const { zL, eps, xH } = generator(scopes, x, text, base.config.generator);
    for (const [name, value] of Object.entries({ zL, eps, xH })) graph.output(name, value);
    return runGraph(graph, feeds, await weightsOf(graph, from));
  };
  const beside = await run(true, read, adapters);
  const within = await run(false, merged.read);
  const without = await run(false, base.read);
  for (const name of ['zL', 'eps', 'xH']) {
    t.true(largest(beside[name], within[name]) < 2e-5, name);
    t.true(largest(beside[name], without[name]) > 1e-2, `${name} is not that of the base`);
  }
  await Promise.all([base.close(), merged.close()]);
});

test('every module with weights records what it computes', async (t) => {
  const model = await openModel(fixture('models/tiny'));
  const { vae, unet: config } = model.config.generator;
  const graph = new Graph({ training: true });
  const text = embeddedText(graph.input('emb', 'float32', [1, 77, 16]));
  unet(scope(graph, 'unet'), graph.input('z', 'float32', [1, 4, 8, 8]), 999, text, config);
  decode(scope(graph, 'vae'), graph.input('latents', 'float32', [1, 4, 8, 8]), vae);
  for (const name of graph.weights.keys()) {
    const module = name.replace(/\.(weight|bias)(\.\w+)?$/, '');
    t.true(graph.modules.has(module), module);
  }
  for (const block of [
    'unet.down_blocks.0.resnets.0',
    'unet.down_blocks.0.attentions.0',
    'unet.mid_block.attentions.0.transformer_blocks.0',
    'vae.decoder.mid_block.attentions.0',
  ]) {
    t.true(graph.modules.has(block), block);
  }
  t.deepEqual(graph.modules.get('unet.down_blocks.0.resnets.0')!.shape, [1, 8, 8, 8]);
  await model.close();
});

test('the weights a network needs are those its file has', async (t) => {
  for (const name of ['tiny', 'tiny-sd1', 'tiny-compact']) {
    const model = await openModel(fixture(`models/${name}`));
    const { generator: g, text } = model.config;
    const wanted = {
      unet: requiredByUnet(g.unet),
      vae: requiredByVae(g.vae),
      ...(text ? { text_encoder: requiredByText(text) } : {}),
    };
    for (const [part, required] of Object.entries(wanted)) {
      const source = await openPart(model.folder, part as 'unet');
      const shapes = (map: ReadonlyMap<string, { shape: readonly number[] }>): string[] =>
        [...map].map(([key, { shape }]) => `${key} ${shape.join('x')}`).sort();
      const needed = new Map([...required].map(([key, shape]) => [key, { shape }]));
      t.deepEqual(shapes(needed), shapes(source.entries), `${name}/${part}`);
      await source.close();
    }
    await model.close();
  }
});
