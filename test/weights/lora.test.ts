import test from 'ava';
import { WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import {
  applyLora,
  checkLora,
  joinLoras,
  type Lora,
  type LoraLayer,
  mergeLora,
} from '../../src/weights/lora.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { golden, readGolden } from '../helpers/golden.ts';

/** A layer whose factors hold 1, 2, 3, ... */
function layer(down: readonly number[], up: readonly number[], scale = 1): LoraLayer {
  return { rank: down[0]!, scale, down: counted(down), up: counted(up) };
}

function counted(shape: readonly number[]): Tensor<'float32'> {
  const count = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => i + 1),
  );
}

function lora(
  layers: Readonly<Record<string, LoraLayer>>,
  replaced: Lora['replaced'] = new Map(),
): Lora {
  return { label: 'x.pkl', layers: new Map(Object.entries(layers)), replaced, metadata: {} };
}

test('a matrix gets scale times B times A', (t) => {
  // B = [[1, 2], [3, 4], [5, 6]], A = [[1, 2], [3, 4]]: B.A = [[7, 10], [15, 22], [23, 34]]
  const merged = mergeLora(float32([3, 2], [100, 0, 0, 0, 0, 0]), layer([2, 2], [3, 2], 0.5));
  t.deepEqual(merged, float32([3, 2], [103.5, 5, 7.5, 11, 11.5, 17]));
});

test('a convolution gets the product over its flattened kernel', (t) => {
  // B = [[1], [2]], A = [1 .. 4] as [1, 1, 2, 2]
  const merged = mergeLora(float32([2, 1, 2, 2], new Float32Array(8)), layer([1, 1, 2, 2], [2, 1, 1, 1])); // prettier-ignore
  t.deepEqual(merged, float32([2, 1, 2, 2], [1, 2, 3, 4, 2, 4, 6, 8]));
});

for (const rank of [1, 3, 4, 5, 8]) {
  test(`rank ${rank} is summed over all of its products`, (t) => {
    const ones = { rank, scale: 1, down: float32([rank, 2], new Float32Array(rank * 2).fill(1)), up: float32([2, rank], new Float32Array(rank * 2).fill(1)) }; // prettier-ignore
    t.deepEqual([...mergeLora(float32([2, 2], [0, 0, 0, 0]), ones).data], Array(4).fill(rank));
  });
}

test('the strength scales what is added; the base is left alone', (t) => {
  const base = float32([1, 1], [10]);
  const one = layer([1, 1], [1, 1], 4);
  t.is(mergeLora(base, one, 0.25).data[0], 11);
  t.is(mergeLora(base, one, 0).data[0], 10);
  t.is(mergeLora(base, one, -1).data[0], 6);
  t.is(base.data[0], 10);
});

test('a weight of another shape is refused', (t) => {
  t.throws(() => mergeLora(float32([2, 2], [0, 0, 0, 0]), layer([1, 2], [3, 1])), {
    instanceOf: WeightError,
    message: /is for \[3, 2\], the base has \[2, 2\]/,
  });
});

test('a replaced weight takes the place of the base, and its LoRA is on top', (t) => {
  const both = lora(
    { 'unet.a': layer([1, 1], [1, 1]) },
    new Map([
      ['unet.a.weight', float32([1, 1], [5])],
      ['unet.a.bias', float32([1], [7])],
    ]),
  );
  const [weight, bias] = [float32([1, 1], [1]), float32([1], [1])];
  t.is(applyLora('unet.a.weight', weight, both).data[0], 6);
  t.is(applyLora('unet.a.weight', weight, both, 0.5).data[0], 3.5);
  t.is(applyLora('unet.a.bias', bias, both).data[0], 7);
  t.is(applyLora('unet.b.weight', weight, both), weight);
});

const fits = new Map([
  ['unet.a.weight', [3, 2]],
  ['unet.c.weight', [3, 2, 3, 3]],
  ['unet.c.bias', [3]],
]);

test('a LoRA that fits its base passes', (t) => {
  const replaced = new Map([['unet.c.bias', float32([3], [0, 0, 0])]]);
  const both = { 'unet.a': layer([4, 2], [3, 4]), 'unet.c': layer([4, 2, 3, 3], [3, 4, 1, 1]) };
  t.notThrows(() => checkLora(lora(both, replaced), fits));
});

const isRefused = test.macro({
  exec(t, given: Lora, message: RegExp) {
    const error = t.throws(() => checkLora(given, fits), { instanceOf: WeightError });
    t.regex(error.message, message);
    t.regex(error.message, /^x\.pkl: does not fit the base model: .*\.$/);
  },
  title: (what) => `refuses a LoRA ${what}`,
});

test('on a module that is not there', isRefused, lora({ 'unet.z': layer([1, 2], [3, 1]) }), /"unet.z" is for \[3, 2\], the base has no such weight/); // prettier-ignore
test('of the other network', isRefused, lora({ 'vae.a': layer([1, 2], [3, 1]) }), /"vae\.a"/);
test('with other inputs', isRefused, lora({ 'unet.a': layer([1, 4], [3, 1]) }), /"unet\.a" is for \[3, 4\], the base has \[3, 2\]/); // prettier-ignore
test('with other outputs', isRefused, lora({ 'unet.a': layer([1, 2], [5, 1]) }), /for \[5, 2\]/);
test('with another kernel', isRefused, lora({ 'unet.c': layer([1, 2, 1, 1], [3, 1, 1, 1]) }), /\[3, 2, 1, 1\], the base has \[3, 2, 3, 3\]/); // prettier-ignore
test('that replaces a weight that is not there', isRefused, lora({}, new Map([['unet.a.bias', float32([3], [0, 0, 0])]])), /"unet.a.bias"/); // prettier-ignore
test('that replaces a weight of another size', isRefused, lora({}, new Map([['unet.c.bias', float32([2], [0, 0])]])), /"unet.c.bias" is for \[2\]/); // prettier-ignore

test('several that do not fit are named up to three, and counted', (t) => {
  const names = 'defgh'.split('').map((name) => [`unet.${name}`, layer([1, 2], [3, 1])] as const);
  t.throws(() => checkLora(lora(Object.fromEntries(names)), fits), {
    message: /"unet\.d" .*"unet\.e" .*"unet\.f" .* and 2 more\./,
  });
});

test('LoRAs on different modules join, on one module they do not', (t) => {
  const [a, b] = ['unet.a', 'vae.b'].map((path) => lora({ [path]: layer([1, 2], [3, 1]) }));
  t.deepEqual([...joinLoras([a!, b!]).layers.keys()], ['unet.a', 'vae.b']);
  t.throws(() => joinLoras([a!, a!]), { instanceOf: WeightError, message: /"unet\.a" is in more/ });
});

const vectors = golden('vectors/generator.safetensors');
const isMerged = test.macro<[files: readonly string[], parts: readonly string[], scale?: number]>({
  async exec(t, files, parts, scale) {
    const loras = files.map((file) => readLora(golden(`lora/${file}`)!, { scale }));
    const given = joinLoras(await Promise.all(loras));
    const expected = [...readGolden(vectors!)].filter(
      ([key]) => key.startsWith('merged.') && parts.includes(key.split('.')[1]!),
    );
    t.is(expected.length, parts.length === 2 ? 12 : 8);
    for (const [name, { data }] of expected) {
      const key = name.slice('merged.'.length);
      // diffusers' form has no place for conv_in's own weight
      if (key === 'unet.conv_in.weight' && !given.replaced.has(key)) continue;
      const [part, ...rest] = key.split('.');
      const base = readGolden(golden(`models/tiny/${part}/diffusion_pytorch_model.safetensors`)!);
      const merged = applyLora(key, base.get(rest.join('.')) as Tensor<'float32'>, given).data;
      const worst = merged.reduce((max, value, i) => Math.max(max, Math.abs(value - (data as Float32Array)[i]!)), 0); // prettier-ignore
      t.true(worst <= 2.4e-7, `${key}: ${worst}`); // two units in the last place at 1
    }
  },
  title: (_, files) =>
    `${files.join(' and ')} merges as PEFT merges it (skipped without ../shared)`,
});

const ifGolden = vectors ? test : test.skip;
ifGolden(isMerged, ['osediff.pkl'], ['unet', 'vae']);
ifGolden(isMerged, ['osediff-cuda.pkl'], ['unet', 'vae']);
ifGolden(isMerged, ['peft-unet', 'peft-vae'], ['unet', 'vae']);
ifGolden(isMerged, ['peft-unet/adapter_model.safetensors'], ['unet']);
ifGolden(isMerged, ['diffusers'], ['unet'], 2);
