import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  ConfigError,
  FormatError,
  PathError,
  UsageError,
  WeightError,
} from '../../src/tensor/errors.ts';
import { float32ToFloat16 } from '../../src/tensor/float16.ts';
import { float32, type Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';
import type { Lora } from '../../src/weights/lora.ts';
import { readLora, writeLora } from '../../src/weights/lora-file.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import {
  type Code,
  dict,
  floats,
  int,
  list,
  rebuilt,
  storage,
  text,
  torchBytes,
} from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';

type Shapes = Readonly<Record<string, string>>;

const sizes = (shape: string): number[] => (shape === '' ? [] : shape.split('x').map(Number));

/** Writes tensors of zeros with these shapes; a number is a scalar of that value. */
async function put(
  path: string,
  shapes: Readonly<Record<string, string | number>>,
  metadata: Record<string, string> = {},
): Promise<string> {
  const plans = Object.entries(shapes).map(([key, shape]) => {
    const x = typeof shape === 'number' ? float32([], [shape]) : zeros('float32', sizes(shape));
    return [key, planned(x)] as const;
  });
  await writeSafetensors(path, new Map(plans), metadata);
  return path;
}

/** Modules with rank and scale. */
function summary({ layers }: Lora): Record<string, readonly [rank: number, scale: number]> {
  return Object.fromEntries([...layers].map(([path, { rank, scale }]) => [path, [rank, scale]]));
}

async function folderOfPeft(t: ExecutionContext, shapes: Shapes, config: object): Promise<string> {
  const folder = join(temporaryFolder(t), 'peft');
  await mkdir(folder);
  await put(join(folder, 'adapter_model.safetensors'), shapes);
  await writeFile(join(folder, 'adapter_config.json'), JSON.stringify(config));
  return folder;
}

const peft = {
  'base_model.model.conv_in.lora_A.weight': '2x4x3x3',
  'base_model.model.conv_in.lora_B.weight': '8x2x1x1',
  'base_model.model.mid_block.attentions.0.to_q.lora_A.weight': '2x8',
  'base_model.model.mid_block.attentions.0.to_q.lora_B.weight': '8x2',
};

test("a PEFT folder's scale is alpha over rank", async (t) => {
  const lora = await readLora(await folderOfPeft(t, peft, { r: 2, lora_alpha: 5 }));
  t.deepEqual(summary(lora), {
    'unet.conv_in': [2, 2.5],
    'unet.mid_block.attentions.0.to_q': [2, 2.5],
  });
  t.deepEqual(lora.layers.get('unet.conv_in')!.down.shape, [2, 4, 3, 3]);
});

test('patterns give modules their own alpha and rank', async (t) => {
  const shapes = { ...peft, 'base_model.model.conv_in.lora_A.weight': '4x4x3x3', 'base_model.model.conv_in.lora_B.weight': '8x4x1x1' }; // prettier-ignore
  const config = {
    r: 2,
    lora_alpha: 2,
    rank_pattern: { '^conv_in': 4 },
    alpha_pattern: { 'attentions\\.0\\.to_q': 6, in: 100 },
  };
  const lora = await readLora(await folderOfPeft(t, shapes, config));
  t.deepEqual(summary(lora), {
    'unet.conv_in': [4, 0.5],
    'unet.mid_block.attentions.0.to_q': [2, 3],
  });
});

test('rank-stabilized LoRA divides by the root of the rank', async (t) => {
  const config = { r: 2, lora_alpha: 4, use_rslora: true };
  const lora = await readLora(await folderOfPeft(t, peft, config));
  t.is(lora.layers.get('unet.conv_in')!.scale, 4 / Math.sqrt(2));
});

test('adapter names, base_layer and modules_to_save are stripped', async (t) => {
  const folder = await folderOfPeft(
    t,
    {
      'base_model.model.encoder.conv_in.lora_A.default_encoder.weight': '2x3x3x3',
      'base_model.model.encoder.conv_in.lora_B.default_encoder.weight': '8x2x1x1',
      'base_model.model.encoder.conv_in.base_layer.weight': '8x3x3x3',
      'base_model.model.quant_conv.modules_to_save.default.bias': '8',
    },
    { r: 2, lora_alpha: 2 },
  );
  const lora = await readLora(folder);
  t.deepEqual([...lora.layers.keys()], ['vae.encoder.conv_in']);
  t.deepEqual([...lora.replaced.keys()].sort(), [
    'vae.encoder.conv_in.weight',
    'vae.quant_conv.bias',
  ]);
});

test('conv_in.safetensors beside a PEFT file replaces the weights of conv_in', async (t) => {
  const folder = await folderOfPeft(t, peft, { r: 2, lora_alpha: 2 });
  await put(join(folder, 'conv_in.safetensors'), {
    'conv_in.weight': '8x4x3x3',
    'conv_in.bias': '8',
  });
  const lora = await readLora(join(folder, 'adapter_model.safetensors'));
  t.deepEqual([...lora.replaced.keys()].sort(), ['unet.conv_in.bias', 'unet.conv_in.weight']);
});

const refusesConfig = test.macro({
  async exec(t, config: object, message: RegExp) {
    const folder = await folderOfPeft(t, peft, { r: 2, lora_alpha: 2, ...config });
    const error = await t.throwsAsync(() => readLora(folder));
    t.true(error instanceof ConfigError || error instanceof WeightError);
    t.regex(error.message, /adapter_config\.json/);
    t.regex(error.message, message);
  },
  title: (what) => `refuses a PEFT config with ${what}`,
});

test('another peft_type', refusesConfig, { peft_type: 'LOHA' }, /"peft_type" is "LOHA"/);
test('DoRA', refusesConfig, { use_dora: true }, /"use_dora" is true/);
test('transposed weights', refusesConfig, { fan_in_fan_out: true }, /"fan_in_fan_out"/);
test(
  'no alpha',
  refusesConfig,
  { lora_alpha: null },
  /a positive number as "lora_alpha", got null/,
);
test('an alpha that is text', refusesConfig, { lora_alpha: '8' }, /"lora_alpha", got "8"/);
test(
  'another rank',
  refusesConfig,
  { r: 4 },
  /expected rank 4 for "conv_in", got weights of rank 2/,
);
test('a pattern that is a regular expression', refusesConfig, { alpha_pattern: { '(a+)+': 1 } }, /regular expression "\(a\+\)\+"/); // prettier-ignore
test('a pattern without a number', refusesConfig, { alpha_pattern: { to_q: null } }, /as "to_q"/);

const diffusers = {
  'unet.conv_in.lora_A.weight': '2x4x3x3',
  'unet.conv_in.lora_B.weight': '8x2x1x1',
  'unet.mid_block.to_q.lora.down.weight': '2x8',
  'unet.mid_block.to_q.lora.up.weight': '8x2',
};
const diffusersName = 'pytorch_lora_weights.safetensors';

test("diffusers' file needs a scale, which the caller gives", async (t) => {
  const folder = temporaryFolder(t);
  await put(join(folder, diffusersName), diffusers);
  await t.throwsAsync(() => readLora(folder), {
    instanceOf: WeightError,
    message: /holds no alpha.*--lora-scale/,
  });
  t.deepEqual(summary(await readLora(folder, { scale: 2 })), {
    'unet.conv_in': [2, 2],
    'unet.mid_block.to_q': [2, 2],
  });
  for (const scale of [0, -1, Number.NaN]) {
    await t.throwsAsync(() => readLora(folder, { scale }), { instanceOf: UsageError });
  }
});

test("diffusers' file may give its config as metadata", async (t) => {
  const config = { 'unet.r': 2, 'unet.lora_alpha': 8, 'unet.alpha_pattern': { to_q: 2 } };
  const metadata = { lora_adapter_metadata: JSON.stringify(config) };
  const path = await put(join(temporaryFolder(t), diffusersName), diffusers, metadata);
  t.deepEqual(summary(await readLora(path)), {
    'unet.conv_in': [2, 4],
    'unet.mid_block.to_q': [2, 1],
  });
});

test('a layer may hold an alpha of its own', async (t) => {
  const shapes = { ...diffusers, 'unet.conv_in.alpha': 3, 'unet.mid_block.to_q.alpha': 1 };
  const lora = await readLora(await put(join(temporaryFolder(t), 'x.safetensors'), shapes));
  t.deepEqual(summary(lora), { 'unet.conv_in': [2, 1.5], 'unet.mid_block.to_q': [2, 0.5] });
});

const refusesKeys = test.macro({
  async exec(t, shapes: Shapes, message: RegExp) {
    const path = await put(join(temporaryFolder(t), 'x.safetensors'), shapes);
    const error = await t.throwsAsync(() => readLora(path, { scale: 1 }), {
      instanceOf: WeightError,
    });
    t.regex(error.message, message);
  },
  title: (what) => `refuses a LoRA ${what}`,
});

const a = 'unet.conv_in.lora_A.weight';
const b = 'unet.conv_in.lora_B.weight';
test('without B', refusesKeys, { [a]: '2x4' }, /"unet\.conv_in" lacks its LoRA weight B/);
test('without A', refusesKeys, { [b]: '8x2' }, /lacks its LoRA weight A/);
test('of two ranks', refusesKeys, { [a]: '2x4', [b]: '8x3' }, /got A \[2, 4\] with B \[8, 3\]/);
test('of matrix and convolution', refusesKeys, { [a]: '2x4', [b]: '8x2x1x1' }, /got A \[2, 4\]/);
test('whose B is no 1 x 1 convolution', refusesKeys, { [a]: '2x4x3x3', [b]: '8x2x3x3' }, /got A/);
test('of rank 0', refusesKeys, { [a]: '0x4', [b]: '8x0' }, /got A \[0, 4\]/);
test(
  'of the text encoder',
  refusesKeys,
  { 'text_encoder.x.lora_A.weight': '2x4' },
  /"text_encoder\.x/,
);
test('of unknown keys', refusesKeys, { 'lora_unet_down.lora_down.weight': '2x4' }, /does not know the key "lora_unet_down/); // prettier-ignore
test('of embeddings', refusesKeys, { 'unet.x.lora_embedding_A': '2x4' }, /does not know the key/);
test('with a magnitude vector', refusesKeys, { 'unet.x.lora_magnitude_vector.weight': '2' }, /does not know/); // prettier-ignore
test('with weights only', refusesKeys, { 'unet.x.weight': '2' }, /expected a LoRA/);
test('with two adapters on a module', refusesKeys, { [a]: '2x4', [b]: '8x2', 'unet.conv_in.lora_A.b.weight': '2x4' }, /second one of its module/); // prettier-ignore

/** An osediff.pkl on two modules of each network, changed by the caller. */
function osediff(change: Readonly<Record<string, Code>> = {}): Uint8Array {
  const stored = storage('FloatStorage', '0', 64, 'cuda:0');
  const zero = (shape: readonly number[]): Code =>
    rebuilt(stored, shape, shape.map((_, i) => shape.slice(i + 1).reduce((x, y) => x * y, 1))); // prettier-ignore
  const value = dict({
    vae_lora_encoder_modules: list(text('quant_conv'), text('quant_conv')),
    unet_lora_encoder_modules: list(text('conv_in')),
    unet_lora_decoder_modules: list(text('conv_out'), text('up_blocks.0.conv_out')),
    unet_lora_others_modules: list(),
    rank_unet: int(2),
    rank_vae: int(4),
    state_dict_unet: dict({
      'conv_in.base_layer.weight': zero([3, 2]),
      'conv_in.base_layer.bias': zero([3]),
      'conv_in.lora_A.default_encoder.weight': zero([2, 2]),
      'conv_in.lora_B.default_encoder.weight': zero([3, 2]),
      'up_blocks.0.conv_out.lora_A.default_decoder.weight': zero([2, 2]),
      'up_blocks.0.conv_out.lora_B.default_decoder.weight': zero([3, 2]),
    }),
    state_dict_vae: dict({
      'quant_conv.lora_A.default_encoder.weight': zero([4, 2, 1, 1]),
      'quant_conv.lora_B.default_encoder.weight': zero([2, 4, 1, 1]),
    }),
    ...change,
  });
  return torchBytes(value, { '0': floats(...Array.from({ length: 64 }, (_, i) => i)) });
}

test('osediff.pkl: three adapters are one, alpha is 8, conv_in is replaced', async (t) => {
  const path = join(temporaryFolder(t), 'osediff.pkl');
  await writeFile(path, osediff());
  const lora = await readLora(path);
  t.deepEqual(summary(lora), {
    'unet.conv_in': [2, 4],
    'unet.up_blocks.0.conv_out': [2, 4],
    'vae.quant_conv': [4, 2],
  });
  t.deepEqual(lora.replaced.get('unet.conv_in.weight'), float32([3, 2], [0, 1, 2, 3, 4, 5]));
  t.deepEqual([...lora.replaced.keys()], ['unet.conv_in.weight', 'unet.conv_in.bias']);
  t.is(lora.metadata['osediff.prompt'], 'dape');
  t.is((await readLora(path, { scale: 3 })).layers.get('vae.quant_conv')!.scale, 3);
});

const refusesPkl = test.macro({
  async exec(t, change: Readonly<Record<string, Code>>, message: RegExp) {
    const path = join(temporaryFolder(t), 'osediff.pkl');
    await writeFile(path, osediff(change));
    const error = await t.throwsAsync(() => readLora(path), { instanceOf: WeightError });
    t.regex(error.message, message);
    t.regex(error.message, /^osediff\.pkl: /);
  },
  title: (what) => `refuses an osediff.pkl ${what}`,
});

test('of another rank than it says', refusesPkl, { rank_unet: int(3) }, /rank 3 \(rank_unet\) for "unet\.conv_in"/); // prettier-ignore
test('whose rank is text', refusesPkl, { rank_vae: text('4') }, /number as rank_vae, got str/);
test('that lists a module without weights', refusesPkl, { unet_lora_others_modules: list(text('mid_block.x')) }, /lists "mid_block\.x"/); // prettier-ignore
test('whose list is a number', refusesPkl, { unet_lora_others_modules: int(1) }, /list of names as unet_lora_others_modules, got int/); // prettier-ignore
test('without the VAE', refusesPkl, { state_dict_vae: int(1) }, /state_dict_vae: expected a dict/);
test('with a key of another version', refusesPkl, { lora_alpha: int(16) }, /does not know the key "lora_alpha"/); // prettier-ignore

test('our own file gives back layers, scales, replaced weights and metadata', async (t) => {
  const folder = temporaryFolder(t);
  const third = 1 / 3;
  const lora: Lora = {
    label: 'osediff.pkl',
    layers: new Map([
      ['unet.a', { rank: 1, scale: third, down: float32([1, 2], [1, 2]), up: float32([3, 1], [3, 4, 5]) }],
    ]), // prettier-ignore
    replaced: new Map([['vae.b.weight', float32([1], [6])]]),
    metadata: { 'osediff.prompt': 'dape', 'adds-to': 'x' },
  };
  const path = join(folder, 'lora.safetensors');
  await writeLora(path, lora);
  t.deepEqual(await readLora(path), { ...lora, label: 'lora.safetensors' });
  t.deepEqual(await readLora(folder), { ...lora, label: 'lora.safetensors' });
  const bytes = await readFile(path);
  await writeLora(path, await readLora(path));
  t.deepEqual(await readFile(path), bytes);
});

test('our own file of a later version is refused', async (t) => {
  const metadata = { 'osediff.lora': '{"version":2,"scales":{}}' };
  const path = await put(join(temporaryFolder(t), 'lora.safetensors'), { [a]: '2x4', [b]: '8x2' }, metadata); // prettier-ignore
  await t.throwsAsync(() => readLora(path), { instanceOf: FormatError, message: /version 1/ });
});

test('LoRA in float16 is widened', async (t) => {
  const path = join(temporaryFolder(t), 'x.safetensors');
  const half = (shape: number[]): Tensor =>
    tensor('float16', shape, float32ToFloat16(new Float32Array(2).fill(1.5)));
  await writeSafetensors(path, new Map([[a, planned(half([1, 2]))], [b, planned(half([2, 1]))]])); // prettier-ignore
  const { down, up } = (await readLora(path, { scale: 1 })).layers.get('unet.conv_in')!;
  t.deepEqual([down, up], [float32([1, 2], [1.5, 1.5]), float32([2, 1], [1.5, 1.5])]);
});

test('a .bin of PEFT is read as its safetensors are', async (t) => {
  const folder = await folderOfPeft(t, {}, { r: 1, lora_alpha: 3 });
  await rename(join(folder, 'adapter_model.safetensors'), join(folder, 'unused'));
  const stored = storage('FloatStorage', '0', 2);
  const value = dict({
    'base_model.model.conv_in.lora_A.weight': rebuilt(stored, [1, 2], [2, 1]),
    'base_model.model.conv_in.lora_B.weight': rebuilt(stored, [2, 1], [1, 1]),
  });
  await writeFile(join(folder, 'adapter_model.bin'), torchBytes(value, { '0': floats(1, 2) }));
  t.deepEqual(summary(await readLora(folder)), { 'unet.conv_in': [1, 3] });
});

test('a folder without a LoRA, and a file that is missing, are errors that say so', async (t) => {
  const folder = temporaryFolder(t);
  await t.throwsAsync(() => readLora(folder), {
    instanceOf: PathError,
    message: /expected a LoRA/,
  });
  await t.throwsAsync(() => readLora(join(folder, 'x.pkl')), { instanceOf: PathError });
});
