/** @file The UNet in float16, as GPUs have it: on the processor, against float32. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Graph, type Target } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { generator } from '../../src/networks/osediff.ts';
import { embeddedText, givenText } from '../../src/networks/transformer.ts';
import { openModel } from '../../src/pipeline/model.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { decomposedSession } from '../helpers/decompose.ts';
import { difference } from '../helpers/difference.ts';
import { readGolden } from '../helpers/golden.ts';

const fixture = (path: string): string =>
  fileURLToPath(new URL(`../fixtures/tiny/${path}`, import.meta.url));

/** Of eps' largest value: some sixty roundings of 2^-11 each, adding up like their root. */
const tolerance = 8 * 2 ** -11;

function largest(x: Tensor): number {
  return (x.data as Float32Array).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}

for (const device of ['cuda', 'webgpu'] as const) {
  for (const [name, vectors, loras] of [
    ['tiny', 'generator', ['lora/osediff.pkl']],
    ['tiny-compact', 'compact_generator', []],
  ] as const) {
    test(`${name} in ${device}’s form`, async (t) => {
      const arrays = readGolden(fixture(`vectors/${vectors}.safetensors`));
      const model = await openModel(fixture(`models/${name}`), loras.map(fixture));
      const [x, emb] = [arrays.get('0.x_l')!, arrays.get('0.emb')];
      const build = (target: Partial<Target>): Graph => {
        const graph = new Graph(target);
        const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
        const text = emb ? embeddedText(graph.input('emb', 'float32', emb.shape)) : givenText(1, 1);
        const input = graph.input('x', 'float32', x.shape);
        const { eps, xH } = generator(scopes, input, text, model.config.generator);
        graph.output('eps', eps);
        graph.output('xH', xH);
        return graph;
      };
      const half = build({ device, half: true });
      const run = async (graph: Graph): Promise<Tensors> => {
        const session = await decomposedSession(graph, model.read);
        const results = await session.run({ x, ...(emb && { emb }) });
        await session.release();
        return results;
      };
      const [want, got] = [await run(build({ device })), await run(half)];
      t.is(got['eps']!.dtype, 'float32');
      const off = difference(
        got['eps']!.data as Float32Array,
        want['eps']!.data as Float32Array,
      ).largest;
      t.true(off > 0, 'something was rounded');
      t.true(off <= tolerance * largest(want['eps']!), `${off} of ${largest(want['eps']!)}`);
      await model.close();
    });
  }

  test(`what overflows in float16 stays in float32 in ${device}’s form`, async (t) => {
    const model = await openModel(fixture('models/tiny'));
    const graph = new Graph({ device, half: true });
    const scopes = { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') };
    const x = graph.input('x', 'float32', [1, 3, 64, 64]);
    generator(scopes, x, givenText(1, 77), model.config.generator);
    for (const { op, name, inputs, output } of graph.nodes) {
      const types = new Set(
        inputs.filter((v) => v?.dtype.startsWith('float')).map((v) => v!.dtype),
      );
      if (['Softmax', 'InstanceNormalization', 'ReduceMean'].includes(op)) {
        t.is(output.dtype, 'float32', name);
      }
      if (name.startsWith('vae')) t.false(types.has('float16'), name);
      // One type a node, but for float32 gains of CUDA's norm and factors of resizing.
      if (op !== 'GroupNorm' && op !== 'Resize') t.true(types.size <= 1, name);
    }
    t.true(graph.nodes.some(({ output }) => output.dtype === 'float16'));
    await model.close();
  });
}
