/** @file LoRA files of test/fixtures/tiny, merged: the generator gives what PyTorch and PEFT give. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { generator } from '../../src/networks/osediff.ts';
import { embeddedText } from '../../src/networks/transformer.ts';
import { openModel } from '../../src/pipeline/model.ts';
import { createSession } from '../../src/runtime/session.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { difference } from '../helpers/difference.ts';
import { readGolden } from '../helpers/golden.ts';

const root = fileURLToPath(new URL('../fixtures/tiny/', import.meta.url));
const vectors = readGolden(`${root}vectors/generator.safetensors`);
const outputs = { z_l: 'zL', eps: 'eps', z_h: 'zH', x_h: 'xH' } as const;

/** Bounds of float32; `z_h` is enlarged by the step, and its bound with it. */
const tolerance = { z_l: 1e-5, eps: 5e-5, z_h: 5e-4, x_h: 5e-5 } as const;

const merges = test.macro({
  title: (_, files: readonly string[]) => `the generator with ${files.join(' and ')} merged`,
  async exec(t, files: readonly string[]) {
    const loras = files.map((file) => `${root}lora/${file}`);
    const model = await openModel(`${root}models/tiny`, loras);
    t.teardown(() => model.close());

    const weights = [...vectors.keys()].filter((key) => key.startsWith('merged.'));
    t.is(weights.length, 5);
    for (const key of weights) {
      const got = toFloat32(await model.read(key.slice('merged.'.length)));
      const want = toFloat32(vectors.get(key)!);
      t.deepEqual(got.shape, want.shape, key);
      t.true(difference(got.data, want.data).largest <= 1e-6, key);
    }

    for (const i of [0, 1]) {
      const [x, emb] = [vectors.get(`${i}.x_l`)!, vectors.get(`${i}.emb`)!];
      const graph = new Graph({ device: 'cpu', training: false });
      const g = generator(
        { vae: scope(graph, 'vae'), unet: scope(graph, 'unet') },
        graph.input('x', 'float32', x.shape),
        embeddedText(graph.input('emb', 'float32', emb.shape)),
        model.config.generator,
      );
      for (const [name, output] of Object.entries(outputs)) graph.output(name, g[output]);
      const bytes = await selfContained(emit(graph, { file: 'weights' }), model.read);
      const session = await createSession(bytes, { threads: 1 });
      const results = await session.run({ x, emb });
      await session.release();
      for (const [name, bound] of Object.entries(tolerance)) {
        const [got, want] = [results[name]!, vectors.get(`${i}.merged.${name}`)!];
        t.deepEqual(got.shape, want.shape);
        const { largest } = difference(toFloat32(got).data, toFloat32(want).data);
        t.true(largest <= bound, `${i}.${name} is off by ${largest}`);
      }
    }
  },
});

test(merges, ['osediff.pkl']);
test(merges, ['peft-unet', 'peft-vae']);
