import test from 'ava';
import { WeightError } from '../../src/tensor/errors.ts';
import { tensor, zeros } from '../../src/tensor/tensor.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import { bindWeights, currentName, withCurrentNames } from '../../src/weights/names.ts';
import { openWeights, type WeightSource } from '../../src/weights/source.ts';
import { golden } from '../helpers/golden.ts';

/** Weights of zeros with these shapes. */
function source(shapes: Readonly<Record<string, string>>, dtype: DType = 'float32'): WeightSource {
  const entries = Object.entries(shapes).map(([key, shape]) => [key, { dtype, shape: sizes(shape) }] as const); // prettier-ignore
  return {
    label: 'x.safetensors',
    entries: new Map(entries),
    read: async (key) => zeros(dtype, sizes(shapes[key]!)),
    close: async () => undefined,
  };
}

const sizes = (shape: string): number[] => shape.split('x').map(Number);
const wanted = (shapes: Readonly<Record<string, string>>): ReadonlyMap<string, readonly number[]> =>
  new Map(Object.entries(shapes).map(([key, shape]) => [key, sizes(shape)]));

const isCalled = test.macro<[old: string, name: string]>({
  exec: (t, old, name) => t.is(currentName(old), name),
  title: (_, old, name) => (old === name ? `leaves ${old}` : `calls ${old} ${name}`),
});

const block = 'decoder.mid_block.attentions.0';
test(isCalled, `${block}.query.weight`, `${block}.to_q.weight`);
test(isCalled, `${block}.key.bias`, `${block}.to_k.bias`);
test(isCalled, `${block}.value.weight`, `${block}.to_v.weight`);
test(isCalled, `${block}.proj_attn.weight`, `${block}.to_out.0.weight`);
test(isCalled, `${block}.to_q.weight`, `${block}.to_q.weight`);
test(isCalled, 'a.attentions.0.transformer_blocks.0.attn1.key.weight', 'a.attentions.0.transformer_blocks.0.attn1.key.weight'); // prettier-ignore
test(isCalled, 'attentions.0.query.weight', 'attentions.0.to_q.weight');
test(isCalled, 'attentions.0.query.lora', 'attentions.0.query.lora');

const layer = 'encoder.layers.3.self_attn.q_proj.weight';
test(isCalled, layer, `text_model.${layer}`);
test(isCalled, `text_model.${layer}`, `text_model.${layer}`);
test(isCalled, 'embeddings.token_embedding.weight', 'text_model.embeddings.token_embedding.weight');
test(isCalled, 'final_layer_norm.bias', 'text_model.final_layer_norm.bias');
test(isCalled, 'encoder.conv_in.weight', 'encoder.conv_in.weight');

test("attention stored as convolutions is read as matrices, a UNet's projections are not", async (t) => {
  const named = withCurrentNames(
    source({
      'a.attentions.0.query.weight': '4x4x1x1',
      'a.attentions.0.query.bias': '4',
      'a.attentions.0.proj_in.weight': '4x4x1x1',
      'a.embeddings.position_ids': '1x77',
    }),
  );
  t.deepEqual(
    [...named.entries].map(([key, { shape }]) => `${key} ${shape.join('x')}`),
    [
      'a.attentions.0.to_q.weight 4x4',
      'a.attentions.0.to_q.bias 4',
      'a.attentions.0.proj_in.weight 4x4x1x1',
    ],
  );
  t.deepEqual((await named.read('a.attentions.0.to_q.weight')).shape, [4, 4]);
  t.deepEqual((await named.read('a.attentions.0.proj_in.weight')).shape, [4, 4, 1, 1]);
});

test('one weight under its old and its new name is refused', (t) => {
  const twice = source({ 'attentions.0.query.bias': '4', 'attentions.0.to_q.bias': '4' });
  t.throws(() => withCurrentNames(twice), {
    instanceOf: WeightError,
    message:
      'x.safetensors: "attentions.0.query.bias" and "attentions.0.to_q.bias" are one weight.',
  });
});

test('keys that no network wants are reported, CLIP position ids are not', (t) => {
  const all = source({ a: '2x3', b: '2', 'text_model.embeddings.position_ids': '1x77' });
  t.deepEqual(bindWeights(all, wanted({ a: '2x3' })).unused, ['b']);
});

const refuses = test.macro({
  exec(t, all: WeightSource, shapes: Readonly<Record<string, string>>, message: RegExp) {
    const error = t.throws(() => bindWeights(all, wanted(shapes)), { instanceOf: WeightError });
    t.regex(error.message, message);
  },
  title: (what) => `refuses weights ${what}`,
});

const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`w${i}`, '2']));
test(
  'that lack one',
  refuses,
  source({ a: '2' }),
  { a: '2', b: '3' },
  /lacks "b" \(1 of 2 weights\)/,
);
test('that lack many', refuses, source({ a: '2' }), { a: '2', ...many }, /lacks "w0", "w1", "w2" and 7 more \(10 of 11/); // prettier-ignore
test(
  'of another size',
  refuses,
  source({ a: '2x3' }),
  { a: '3x2' },
  /"a": expected \[3, 2\], got \[2, 3\]/,
);
test('of another rank', refuses, source({ a: '2x3x1x1' }), { a: '2x3' }, /got \[2, 3, 1, 1\]/);
test('of integers', refuses, source({ a: '2' }, 'int64'), { a: '2' }, /"a": expected a float type, got int64/); // prettier-ignore

for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
  test(`accepts ${dtype}`, (t) => {
    t.deepEqual(bindWeights(source({ a: '2' }, dtype), wanted({ a: '2' })).unused, []);
  });
}

const old = golden('models/tiny-sd1/vae/diffusion_pytorch_model.safetensors');
const recent = golden('models/tiny/vae/diffusion_pytorch_model.safetensors');
(old && recent ? test : test.skip)(
  'a VAE of 2022 has the key names of a new one, values unchanged (skipped without ../shared)',
  async (t) => {
    const stored = await openWeights(old!);
    const [a, b] = [withCurrentNames(stored), await openWeights(recent!)];
    t.teardown(() => Promise.all([a.close(), b.close()]));
    const inOld = new Set(a.entries.keys());
    t.deepEqual(
      [...b.entries.keys()].filter((key) => key.includes('mid_block') && !inOld.has(key)),
      [],
    );
    const { shape, data } = await stored.read(`${block}.proj_attn.weight`);
    t.deepEqual(
      await a.read(`${block}.to_out.0.weight`),
      tensor('float32', shape, data as Float32Array),
    );
  },
);
