/** @file RAM's and DAPE's files as one source of merged weights. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { requiredByTagger } from '../../src/networks/required.ts';
import { taggerConfig } from '../../src/networks/swin-tagger-config.ts';
import { WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor, zeros } from '../../src/tensor/tensor.ts';
import { openWeights, type WeightInfo, type WeightSource } from '../../src/weights/source.ts';
import { taggerSource } from '../../src/weights/tagger-source.ts';
import { difference } from '../helpers/difference.ts';
import { golden, readGolden } from '../helpers/golden.ts';

function sourceOf(label: string, tensors: Readonly<Record<string, Tensor>>): WeightSource {
  return {
    label,
    entries: new Map(Object.entries(tensors)),
    read: async (key) => tensors[key]!,
    close: async () => undefined,
  };
}

const q = 'encoder.layer.0.crossattention.self.query';
const column = (...values: number[]): Tensor => float32([values.length, 1], values);
const row = (...values: number[]): Tensor => float32([1, values.length], values);

test('LoRA of a fused projection goes to q and v, and leaves k alone', async (t) => {
  const base = sourceOf('ram.pth', { 'a.attn.qkv.weight': zeros('float32', [6, 2]) });
  const dape = sourceOf('DAPE.pth', {
    'a.attn.qkv.lora_A': float32([2, 2], [1, 10, 100, 1000]), // rank 1: a row for q, a row for v
    'a.attn.qkv.lora_B': column(1, 2, 3, 4),
  });
  const { data } = await taggerSource({ base, dape }).read('a.attn.qkv.weight');
  t.deepEqual([...data], [1, 10, 2, 20, 0, 0, 0, 0, 300, 3000, 400, 4000]);
});

test('the scale is one over the rank', async (t) => {
  const base = sourceOf('ram.pth', { 'm.weight': float32([1, 1], [5]) });
  const dape = sourceOf('DAPE.pth', {
    'm.lora_A': column(1, 1, 1, 1),
    'm.lora_B': row(2, 2, 2, 2),
  });
  const { data } = await taggerSource({ base, dape }).read('m.weight');
  t.deepEqual([...data], [5 + 8 / 4]);
});

test('a layer of the head gains the LoRA of both its names', async (t) => {
  const base = sourceOf('ram.pth', {
    [`tag_encoder.${q}.weight`]: float32([1, 1], [1]),
    [`tagging_head.${q}.weight`]: float32([1, 1], [2]),
  });
  const lora = (name: string, value: number): Record<string, Tensor> => ({
    [`${name}.${q}.lora_A`]: column(value),
    [`${name}.${q}.lora_B`]: column(1),
  });
  const dape = sourceOf('DAPE.pth', { ...lora('tag_encoder', 10), ...lora('tagging_head', 100) });
  const { data } = await taggerSource({ base, dape }).read(`tagging_head.${q}.weight`);
  t.deepEqual([...data], [112]);
});

test('whole weights of the second file replace those of the first, under either name', async (t) => {
  const base = sourceOf('ram.pth', {
    [`tagging_head.${q}.weight`]: float32([1, 1], [1]),
    'fc.bias': float32([1], [1]),
  });
  const dape = sourceOf('DAPE.pth', {
    [`tag_encoder.${q}.weight`]: float32([1, 1], [7]),
    'fc.bias': float32([1], [8]),
  });
  const source = taggerSource({ base, dape });
  t.deepEqual([...(await source.read(`tagging_head.${q}.weight`)).data], [7]);
  t.deepEqual([...(await source.read('fc.bias')).data], [8]);
});

test('the head is found under its former name', async (t) => {
  const base = sourceOf('ram.pth', { [`vision_multi.${q}.bias`]: float32([1], [3]) });
  const source = taggerSource({ base });
  t.deepEqual([...source.entries.keys()], [`tagging_head.${q}.bias`]);
  t.deepEqual([...(await source.read(`tagging_head.${q}.bias`)).data], [3]);
});

test('a LoRA that fits no module, or not its weight, is refused by name', async (t) => {
  const base = sourceOf('ram.pth', { 'm.weight': float32([2, 2], [1, 2, 3, 4]) });
  const stranger = sourceOf('x.pth', { 'unet.lora_A': row(1), 'unet.lora_B': row(1) });
  t.throws(() => taggerSource({ base, dape: stranger }), {
    instanceOf: WeightError,
    message: /^x\.pth: expected LoRA for the modules of ram\.pth, got "unet\.lora_A"/,
  });
  const wide = sourceOf('w.pth', { 'm.lora_A': row(1, 2, 3), 'm.lora_B': column(1, 1) });
  await t.throwsAsync(taggerSource({ base, dape: wide }).read('m.weight'), {
    instanceOf: WeightError,
    message: /"m\.weight" does not fit its weight \[2, 2\]/,
  });
});

const merged = golden('tagger/merged-weights.safetensors');
(merged ? test : test.skip)(
  'weights merge as the official classes merge them (needs ../shared)',
  async (t) => {
    const [base, dape] = await Promise.all(
      ['ram_swin_small.pth', 'DAPE_small.pth'].map((name) =>
        openWeights(golden(`tagger/${name}`)!),
      ),
    );
    const source = taggerSource({ base: base!, dape });
    for (const [key, { data }] of readGolden(merged!)) {
      const got = await source.read(key);
      t.true(difference(got.data as Float32Array, data as Float32Array).largest < 1e-7, key);
    }
    await source.close();
  },
);

const keyList = golden('tagger/real-keys.txt');
(keyList ? test : test.skip)(
  'the full-size files have every weight the network asks for, and no other of use (needs ../shared)',
  async (t) => {
    const used = new Set<string>();
    const files = { base: new Map<string, WeightInfo>(), dape: new Map<string, WeightInfo>() };
    const needed: string[] = [];
    for (const line of readFileSync(keyList!, 'utf8').split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const [file, key, dtype, shape, need] = line.split('\t') as [
        string,
        string,
        'float32',
        string,
        string,
      ];
      const info = { dtype, shape: JSON.parse(shape) as number[] };
      files[file as 'base' | 'dape'].set(key, info);
      if (need !== 'no') needed.push(`${file} ${key}`);
    }
    const open = (file: 'base' | 'dape'): WeightSource => ({
      label: file,
      entries: files[file],
      async read(key) {
        used.add(`${file} ${key}`);
        return zeros('float32', files[file].get(key)!.shape);
      },
      close: async () => undefined,
    });
    const source = taggerSource({ base: open('base'), dape: open('dape') });
    const config = taggerConfig(
      new Map([...source.entries].map(([key, { shape }]) => [key, shape])),
      'ram',
    );
    t.like(config, { imageSize: 384, patch: 4, embed: 192, tags: 4585 });
    t.deepEqual(
      config.stages.map(({ blocks }) => blocks),
      [2, 2, 18, 2],
    );
    t.deepEqual(
      config.stages.map(({ heads }) => heads),
      [6, 12, 24, 48],
    );
    const wanted = requiredByTagger(config);
    for (const [key, shape] of wanted) t.deepEqual(source.entries.get(key)?.shape, shape, key);
    for (const key of wanted.keys()) await source.read(key);
    t.deepEqual([...used].sort(), needed.sort());
  },
);
