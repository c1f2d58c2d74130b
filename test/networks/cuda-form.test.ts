/** @file Networks as CUDA gets them: only what its provider runs, and the same numbers. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { emit } from '../../src/graph/emit.ts';
import { Graph, type Node } from '../../src/graph/graph.ts';
import { type Scope, scope } from '../../src/graph/scope.ts';
import { alexLpips } from '../../src/networks/alex-lpips.ts';
import { clipText, clipTextConfig } from '../../src/networks/clip-text.ts';
import type { Json } from '../../src/networks/config.ts';
import { dists } from '../../src/networks/dists.ts';
import { inception } from '../../src/networks/inception.ts';
import { modelConfig, type ModelConfig } from '../../src/networks/model-config.ts';
import { generator } from '../../src/networks/osediff.ts';
import { swinTagger } from '../../src/networks/swin-tagger.ts';
import { embeddedText, givenText } from '../../src/networks/transformer.ts';
import { encodeMoments } from '../../src/networks/vae.ts';
import { lpips } from '../../src/networks/vgg-lpips.ts';
import { openModel } from '../../src/pipeline/model.ts';
import { provingGraph } from '../../src/pipeline/proving.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { decomposedSession } from '../helpers/decompose.ts';
import { difference } from '../helpers/difference.ts';
import { readGolden } from '../helpers/golden.ts';
import { faultOnCuda } from './cuda-kernels.ts';

const fixture = (path: string): string =>
  fileURLToPath(new URL(`../fixtures/tiny/${path}`, import.meta.url));

function json(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

/** The config of a model's folder, with other sizes. */
function config(folder: string, unet: Json = {}, vae: Json = {}): ModelConfig {
  const own = folder.includes('compact') ? json(`${folder}/osediff.json`) : undefined;
  return modelConfig({
    unet: { ...json(`${folder}/unet/config.json`), ...unet },
    vae: { ...json(`${folder}/vae/config.json`), ...vae },
    textEncoder: undefined,
    scheduler: json(`${folder}/scheduler/scheduler_config.json`),
    own,
  });
}

/** Stable Diffusion 2.1's and 1.5's sizes. */
const full: { readonly unet: Json; readonly vae: Json } = {
  unet: {
    block_out_channels: [320, 640, 1280, 1280],
    cross_attention_dim: 1024,
    layers_per_block: 2,
    norm_num_groups: 32,
  },
  vae: { block_out_channels: [128, 256, 512, 512], layers_per_block: 2, norm_num_groups: 32 },
};
const models = {
  'SD 2.1': config(
    fixture('models/tiny'),
    { ...full.unet, attention_head_dim: [5, 10, 20, 20] },
    full.vae,
  ),
  'SD 1.5': config(
    fixture('models/tiny'),
    { ...full.unet, cross_attention_dim: 768, attention_head_dim: 8, use_linear_projection: false },
    full.vae,
  ),
  compact: config(fileURLToPath(new URL('../../models/compact', import.meta.url))),
} as const;

type Build = (graph: Graph, s: Scope) => void;

function whole({ generator: g }: ModelConfig, size: number | string, sample = false): Build {
  return (graph) => {
    const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
    const dims = typeof size === 'number' ? [1, 3, size, size] : ['n', 3, `${size}*h`, `${size}*w`];
    const x = graph.input('x', 'float32', dims);
    const noise = sample
      ? graph.input('noise', 'float32', [
          1,
          g.vae.latentChannels,
          (size as number) / 8,
          (size as number) / 8,
        ])
      : undefined;
    graph.output('y', generator(scopes, x, givenText(dims[0]!, 77), g, noise).xH);
  };
}

const picture = (graph: Graph, size = 64, name = 'x') =>
  graph.input(name, 'float32', [1, 3, size, size]);

const networks: Readonly<Record<string, Build>> = {
  'SD 2.1 at 512': whole(models['SD 2.1'], 512),
  'SD 2.1 at 512, sampled': whole(models['SD 2.1'], 512, true),
  'SD 2.1 at every size': whole(models['SD 2.1'], '64'),
  'SD 1.5 at 512': whole(models['SD 1.5'], 512),
  'compact at 512': whole(models.compact, 512),
  'moments of the VAE': (graph) => {
    graph.output(
      'y',
      encodeMoments(scope(graph, 'vae'), picture(graph), models['SD 2.1'].generator.vae),
    );
  },
  'text encoder': (graph, s) => {
    const text = clipTextConfig(json(fixture('models/tiny/text_encoder/config.json')), 'test');
    graph.output('y', clipText(s, graph.input('ids', 'int64', [1, text.positions]), text));
  },
  tagger: (graph, s) => {
    const stage = (blocks: number, heads: number, hidden: number) => ({
      blocks,
      heads,
      window: 12,
      hidden,
    });
    const stages = [stage(2, 6, 768), stage(2, 12, 1536), stage(2, 24, 3072), stage(2, 48, 6144)];
    const head = { layers: 2, hidden: 768, intermediate: 3072, heads: 4 };
    const sizes = {
      imageSize: 384,
      patch: 4,
      embed: 192,
      memory: 512,
      tags: 4585,
      labelWidth: 512,
    };
    graph.output('y', swinTagger(s, picture(graph, 384), { ...sizes, stages, head }).logits);
  },
  'LPIPS on VGG16': (graph, s) => {
    graph.output('y', lpips(s, picture(graph), picture(graph, 64, 'b')).distance);
  },
  'LPIPS on AlexNet': (graph, s) => {
    graph.output('y', alexLpips(s, picture(graph), picture(graph, 64, 'b')).distance);
  },
  DISTS: (graph, s) => {
    graph.output('y', dists(s, picture(graph), picture(graph, 64, 'b')).distance);
  },
  Inception: (graph, s) => graph.output('y', inception(s, picture(graph, 299))),
};

/** The nodes that are emitted. */
function nodesOf(graph: Graph): readonly Node[] {
  const names = new Set(emit(graph, { file: 'w' }).model.graph.node.map(({ name }) => name));
  return graph.nodes.filter(({ name }) => names.has(name));
}

for (const [name, build] of Object.entries(networks)) {
  test(`${name}: CUDA has a kernel for every node`, (t) => {
    const graph = new Graph({ device: 'cuda' });
    build(graph, scope(graph, ''));
    const nodes = nodesOf(graph);
    t.true(nodes.length > 5);
    t.deepEqual(
      nodes.map(faultOnCuda).filter((fault) => fault !== undefined),
      [],
    );
  });
}

test('the proving model has the forms that networks have', (t) => {
  const ops = new Set(nodesOf(provingGraph('cuda')).map(({ op }) => op));
  for (const op of ['GroupNorm', 'NhwcConv', 'Attention'] as const) t.true(ops.has(op), op);
  t.false(ops.has('QuickGelu'), 'SiLU is inside the norm');
});

test('Stable Diffusion stays channels-last from end to end', (t) => {
  const graph = new Graph({ device: 'cuda' });
  whole(models['SD 2.1'], 512)(graph, scope(graph, ''));
  const count = (op: string): number => nodesOf(graph).filter((node) => node.op === op).length;
  t.is(count('QuickGelu'), 0, 'every SiLU is in its norm');
  t.is(count('InstanceNormalization'), 0);
  t.true(count('Transpose') <= 6, `${count('Transpose')} transpositions`);
  t.is(count('Attention'), 34, '16 blocks with two, and two in the VAE');
});

/** The generator in CUDA's form, taken apart, against PyTorch's vectors in the repository. */
for (const [name, vectors, variant, loras] of [
  ['tiny', 'generator', 'merged', ['lora/osediff.pkl']],
  ['tiny-compact', 'compact_generator', 'base', []],
] as const) {
  test(`${name}: CUDA’s form gives PyTorch’s numbers`, async (t) => {
    const arrays = readGolden(fixture(`vectors/${vectors}.safetensors`));
    const model = await openModel(fixture(`models/${name}`), loras.map(fixture));
    let compared = 0;
    for (const [key, x] of arrays) {
      const [, i] = /^(\d+)\.x_l$/.exec(key) ?? [];
      const want = arrays.get(`${i}.${variant}.x_h`);
      if (i === undefined || !want) continue;
      const emb = arrays.get(`${i}.emb`);
      const graph = new Graph({ device: 'cuda' });
      const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
      const text = emb
        ? embeddedText(graph.input('emb', 'float32', emb.shape))
        : givenText(x.shape[0]!, 1);
      const { xH } = generator(
        scopes,
        graph.input('x', 'float32', x.shape),
        text,
        model.config.generator,
      );
      graph.output('y', xH);
      t.true(nodesOf(graph).some(({ op }) => op === 'NhwcConv'));
      const session = await decomposedSession(graph, model.read);
      const { y } = await session.run({ x, ...(emb && { emb }) });
      await session.release();
      t.true(difference(y!.data as Float32Array, want.data as Float32Array).largest < 1e-4, key);
      compared++;
    }
    t.true(compared > 0);
    await model.close();
  });
}

test('a node that CUDA would refuse is told', (t) => {
  const graph = new Graph({ device: 'cuda' });
  const x = graph.input('x', 'float32', [1, 8, 8, 96]);
  const gain: Tensor = float32([96], new Float32Array(96));
  const attributes = { groups: 32, epsilon: 1e-6, activation: 0, channels_last: 1 } as const;
  graph.add('GroupNorm', [x, graph.constant(gain), graph.constant(gain)], attributes);
  graph.add('MultiHeadAttention', [x, x, x], { num_heads: 1, scale: 1 });
  t.deepEqual(graph.nodes.map(faultOnCuda), [
    'GroupNorm needs pairs of channels in a group',
    'MultiHeadAttention has no kernel, or one that is not to be used',
  ]);
});
