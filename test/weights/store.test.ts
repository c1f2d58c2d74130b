import { createHash } from 'node:crypto';
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { DType } from '../../src/tensor/dtype.ts';
import {
  ConfigError,
  FormatError,
  OsediffError,
  PathError,
  UsageError,
  WeightError,
} from '../../src/tensor/errors.ts';
import { float32ToFloat16 } from '../../src/tensor/float16.ts';
import { float32, tensor } from '../../src/tensor/tensor.ts';
import { dataFolder } from '../../src/weights/data-folder.ts';
import { importModel, type ImportOptions, type Imported } from '../../src/weights/import-model.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { openPart } from '../../src/weights/model-folder.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { openWeights } from '../../src/weights/source.ts';
import { listModels, removeModel, resolveModel, verifyModel } from '../../src/weights/store.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { expected, writeThirds, writeTinyModel } from '../helpers/tiny-model.ts';

// Serial: every test has a store of its own, which an environment variable names.

interface Place {
  /** The model to import. */
  readonly from: string;
  /** The store's folder of models. */
  readonly models: string;
}

async function place(t: ExecutionContext): Promise<Place> {
  const root = temporaryFolder(t);
  process.env['OSEDIFF_HOME'] = join(root, 'home');
  await writeTinyModel(join(root, 'model'));
  return { from: join(root, 'model'), models: join(root, 'home', 'models') };
}

function imported(from: string, options: Partial<ImportOptions> = {}): Promise<Imported> {
  return importModel(from, { name: 'sd21', expected, ...options });
}

const nothingIn = async (t: ExecutionContext, models: string): Promise<void> => {
  t.deepEqual(await readdir(models).catch(() => []), []);
};

/** Names of stored models; the bundled ones are of no concern here. */
const stored = async (): Promise<string[]> =>
  (await listModels()).filter((model) => model.place === 'stored').map(({ name }) => name);

const unetFile = 'unet/diffusion_pytorch_model.safetensors';
const vaeFile = 'vae/diffusion_pytorch_model.safetensors';

test('the data folder is where the platform has it', (t) => {
  t.is(dataFolder({ OSEDIFF_HOME: '/x' }, 'linux', '/home/a'), '/x');
  t.is(dataFolder({}, 'linux', '/home/a'), '/home/a/.local/share/osediff');
  t.is(dataFolder({ XDG_DATA_HOME: '/d' }, 'linux', '/home/a'), '/d/osediff');
  t.is(dataFolder({ XDG_DATA_HOME: 'd' }, 'linux', '/home/a'), '/home/a/.local/share/osediff');
  t.is(dataFolder({}, 'darwin', '/Users/a'), '/Users/a/Library/Application Support/osediff');
  t.is(dataFolder({ LOCALAPPDATA: '/l' }, 'win32', '/a'), join('/l', 'osediff'));
});

test.serial('an imported model has everything in one folder, and a manifest of it', async (t) => {
  const { from, models } = await place(t);
  const { folder, manifest, unused } = await imported(from);
  t.is(folder, join(models, 'sd21'));
  t.deepEqual(unused, []);
  const files = [
    'LICENSE.md',
    'model_index.json',
    'scheduler/scheduler_config.json',
    'text_encoder/config.json',
    'text_encoder/model.safetensors',
    'tokenizer/merges.txt',
    'tokenizer/vocab.json',
    'unet/config.json',
    unetFile,
    'vae/config.json',
    vaeFile,
  ];
  t.deepEqual(Object.keys(manifest.files), files);
  for (const [file, { bytes, sha256 }] of Object.entries(manifest.files)) {
    const content = await readFile(join(folder, file));
    t.is(bytes, content.length);
    t.is(sha256, createHash('sha256').update(content).digest('hex'));
  }
  t.like(manifest, {
    formatVersion: 1,
    name: 'sd21',
    licence: 'openrail++',
    precision: 'fp32',
    prompt: 'null-prompt',
    source: { folder: from, loras: [] },
  });
  t.deepEqual(manifest.source.weights, {
    unet: unetFile,
    vae: vaeFile,
    text_encoder: 'text_encoder/model.safetensors',
  });
  t.deepEqual(manifest.parts['unet'], {
    class: 'UNet2DConditionModel',
    parameters: 9,
    config: { block_out_channels: [3] },
  });
  t.is(manifest.parts['text_encoder']!.class, 'CLIPTextModel');
  t.true(Math.abs(Date.now() - Date.parse(manifest.created)) < 60_000);
  t.deepEqual(await resolveModel('sd21'), { name: 'sd21', folder, place: 'stored', manifest });
  t.deepEqual(await stored(), ['sd21']);
  t.deepEqual(await readdir(models), ['sd21']);
  t.deepEqual(await verifyModel(await resolveModel('sd21')), []);
});

test.serial('a licence file speaks where the model card does not', async (t) => {
  const { from } = await place(t);
  await writeFile(join(from, 'README.md'), '# A model\nlicense: none of this\n');
  t.is((await imported(from)).manifest.licence, '# Some licence');
  await rm(join(from, 'LICENSE.md'));
  t.is((await imported(from, { name: 'b' })).manifest.licence, null);
});

test.serial('weights are stored under today’s names', async (t) => {
  const { from } = await place(t);
  const old = { 'decoder.mid_block.attentions.0.query.weight': [2, 2, 1, 1], 'quant_conv.weight': [2, 2, 1, 1] }; // prettier-ignore
  await writeThirds(join(from, vaeFile), old);
  const { folder } = await imported(from);
  const source = await openWeights(join(folder, vaeFile));
  t.teardown(() => source.close());
  t.deepEqual(source.entries.get('decoder.mid_block.attentions.0.to_q.weight')!.shape, [2, 2]);
  t.deepEqual(source.entries.get('quant_conv.weight')!.shape, [2, 2, 1, 1]);
});

const half = tensor('float16', [3], float32ToFloat16(new Float32Array(3).fill(1 / 3)));

const isConverted = test.macro({
  async exec(t, precision: 'fp32' | 'fp16', dtype: DType) {
    const { from } = await place(t);
    const { folder, manifest } = await imported(from, { precision });
    t.is(manifest.precision, precision);
    for (const part of ['unet', 'vae', 'text_encoder'] as const) {
      const source = await openPart(folder, part);
      t.teardown(() => source.close());
      for (const info of source.entries.values()) t.is(info.dtype, dtype);
    }
    const unet = await openPart(folder, 'unet');
    t.teardown(() => unet.close());
    const third = float32([3], new Float32Array(3).fill(1 / 3));
    t.deepEqual(await unet.read('conv_in.bias'), precision === 'fp16' ? half : third);
  },
  title: (_, precision) => `--precision ${String(precision)} converts every part`,
});
test.serial(isConverted, 'fp32', 'float32');
test.serial(isConverted, 'fp16', 'float16');

test.serial('a variant is taken by the parts that have it', async (t) => {
  const { from } = await place(t);
  const path = join(from, 'unet/diffusion_pytorch_model.fp16.safetensors');
  const weight = tensor('float16', [3, 2], new Uint16Array(6));
  await writeSafetensors(path, new Map([['conv_in.weight', planned(weight)], ['conv_in.bias', planned(half)]])); // prettier-ignore
  const { folder, manifest } = await imported(from, { variant: 'fp16' });
  t.is(manifest.source.weights['unet'], 'unet/diffusion_pytorch_model.fp16.safetensors');
  t.is(manifest.source.weights['vae'], vaeFile);
  t.is(manifest.precision, 'fp32'); // not every part is float16
  const source = await openPart(folder, 'unet');
  t.teardown(() => source.close());
  const value = Math.fround(1365 / 4096); // float16's 1/3, exactly
  t.deepEqual(await source.read('conv_in.bias'), float32([3], [value, value, value]));
  await t.throwsAsync(() => imported(from, { name: 'b', variant: 'bf16' }), {
    instanceOf: PathError,
    message: /variant "bf16", got none/,
  });
});

test.serial('a model that is float16 throughout stays so', async (t) => {
  const { from } = await place(t);
  const { folder } = await imported(from, { precision: 'fp16' });
  t.is((await imported(folder, { name: 'again' })).manifest.precision, 'fp16');
});

test.serial('a weight too large for float16 is named, and nothing is left', async (t) => {
  const { from, models } = await place(t);
  await writeThirds(join(from, unetFile), { 'conv_in.weight': [3, 2], 'conv_in.bias': [3] }, 65520);
  await t.throwsAsync(() => imported(from, { precision: 'fp16' }), {
    instanceOf: WeightError,
    message: /"conv_in\.\w+": 65520 does not fit float16\. Import with --precision fp32/,
  });
  await nothingIn(t, models);
});

/** A LoRA on conv_in of the UNet. */
async function writeLoraFile(path: string, shapes: Record<string, number[]> = {}): Promise<string> {
  const fit = { 'unet.conv_in.lora_A.weight': [1, 2], 'unet.conv_in.lora_B.weight': [3, 1] };
  await writeThirds(path, { ...fit, ...shapes });
  return path;
}

test.serial('a LoRA is stored apart from the base', async (t) => {
  const { from } = await place(t);
  const file = await writeLoraFile(join(from, '..', 'x.safetensors'));
  const { folder, manifest } = await imported(from, { loras: [file], loraScale: 2 });
  t.true('lora.safetensors' in manifest.files);
  t.deepEqual(manifest.source.loras, [file]);
  const lora = await readLora(join(folder, 'lora.safetensors'));
  t.is(lora.layers.get('unet.conv_in')!.scale, 2);
  const source = await openPart(folder, 'unet');
  t.teardown(() => source.close());
  t.is((await source.read('conv_in.bias')).data[0], Math.fround(1 / 3));
  const again = await imported(folder, { name: 'again' }); // the model's own LoRA comes along
  t.deepEqual(again.manifest.files['lora.safetensors'], manifest.files['lora.safetensors']);
});

const refuses = test.macro<
  [prepare: (from: string) => unknown, message: RegExp, options?: Partial<ImportOptions>]
>({
  async exec(t, prepare, message, options = {}) {
    const { from, models } = await place(t);
    await prepare(from);
    const loras = options.loras?.map((file) => join(from, file)) ?? [];
    const error = await t.throwsAsync(() => imported(from, { ...options, loras }), {
      instanceOf: OsediffError,
    });
    t.regex(error.message, message);
    t.false(error.message.includes('\n'));
    await nothingIn(t, models);
    t.deepEqual(await stored(), []);
  },
  title: (what) => `refuses to import ${what}, and writes nothing`,
});

const write = (name: string, text: string) => (from: string) => writeFile(join(from, name), text);
const remove = (name: string) => (from: string) => rm(join(from, name), { recursive: true });
const linkOut = (name: string) => async (from: string) => {
  await rename(join(from, name), join(from, '..', 'outside'));
  await symlink(join(from, '..', 'outside'), join(from, name));
};

test.serial(
  'a base that predicts v',
  refuses,
  write('scheduler/scheduler_config.json', '{"prediction_type":"v_prediction"}'),
  /prediction_type "epsilon"\), got "v_prediction"\. This is SD 2\.1 .* Use SD 2\.1-base/,
);
test.serial(
  'a base that predicts the picture',
  refuses,
  write('scheduler/scheduler_config.json', '{"prediction_type":"sample"}'),
  /got "sample"/,
);
test.serial('a folder without a UNet', refuses, remove('unet'), /unet\/config\.json is missing/);
test.serial('a folder without weights', refuses, remove(unetFile), /expected weights named diff/);
test.serial(
  'a folder without a schedule',
  refuses,
  remove('scheduler'),
  /scheduler_config\.json is/,
);
test.serial('a folder without a tokenizer', refuses, remove('tokenizer'), /tokenizer\/vocab\.json/);
test.serial(
  'a config with a key twice',
  refuses,
  write('unet/config.json', '{"a":1,"a":2}'),
  /"a"/,
);
test.serial('a config that is a list', refuses, write('vae/config.json', '[]'), /a JSON object/);
test.serial('a damaged part', refuses, write(vaeFile, 'x'), /safetensors file, got 1 bytes/);
test.serial(
  'a part without one of its weights',
  refuses,
  (from) => writeThirds(join(from, unetFile), { 'conv_in.bias': [3] }),
  /^unet\/diffusion_pytorch_model\.safetensors: lacks "conv_in\.weight" \(1 of 2/,
);
test.serial(
  'a part with a misshapen weight',
  refuses,
  (from) => writeThirds(join(from, unetFile), { 'conv_in.weight': [2, 3], 'conv_in.bias': [3] }),
  /"conv_in\.weight": expected \[3, 2\], got \[2, 3\]/,
);
test.serial('weights that link out of the folder', refuses, linkOut(unetFile), /a link out of it/);
test.serial('a part that links out of the folder', refuses, linkOut('vae'), /a link out of it/);
test.serial('a config that links out', refuses, linkOut('unet/config.json'), /a link out of it/);
test.serial('a tokenizer that links out', refuses, linkOut('tokenizer/merges.txt'), /a link out/);
test.serial('a licence that links out', refuses, linkOut('LICENSE.md'), /a link out of it/);
test.serial(
  'a LoRA on other modules',
  refuses,
  (from) => writeLoraFile(join(from, 'x.safetensors'), { 'unet.conv_out.lora_A.weight': [1, 2], 'unet.conv_out.lora_B.weight': [3, 1] }), // prettier-ignore
  /^x\.safetensors: does not fit the base model: "unet\.conv_out"/,
  { loras: ['x.safetensors'], loraScale: 1 },
);
test.serial(
  'a LoRA of another size',
  refuses,
  (from) => writeLoraFile(join(from, 'x.safetensors'), { 'unet.conv_in.lora_A.weight': [1, 4] }),
  /"unet\.conv_in" is for \[3, 4\], the base has \[3, 2\]/,
  { loras: ['x.safetensors'], loraScale: 1 },
);
test.serial('a LoRA that is missing', refuses, () => undefined, /x\.pkl: no such file/, { loras: ['x.pkl'] }); // prettier-ignore
test.serial('a config that no network is built for', refuses, () => undefined, /not built/, {
  expected: () => {
    throw new ConfigError('unet: "x" is not built.');
  },
});
test.serial('a single file', async (t) => {
  const { from } = await place(t);
  await t.throwsAsync(() => imported(join(from, unetFile)), {
    instanceOf: PathError,
    message: /expected a folder in diffusers' layout.*Convert/,
  });
});

for (const name of [
  '',
  '.',
  '..',
  '...',
  'a/b',
  'a\\b',
  '-a',
  '.a',
  'a.',
  'a b',
  'ä',
  'CON',
  'nul.x',
  'a'.repeat(65),
]) {
  test.serial(`a model cannot be called ${JSON.stringify(name)}`, async (t) => {
    const { from } = await place(t);
    await t.throwsAsync(() => imported(from, { name }), { instanceOf: UsageError });
    await t.throwsAsync(() => removeModel(name), { instanceOf: UsageError });
  });
}

test.serial('a name that is taken is refused, and the model that has it stays', async (t) => {
  const { from, models } = await place(t);
  const { manifest } = await imported(from);
  await t.throwsAsync(() => imported(from), {
    instanceOf: PathError,
    message: /osediff model remove sd21/,
  });
  t.deepEqual((await resolveModel('sd21')).manifest, manifest);
  t.deepEqual(await readdir(models), ['sd21']);
});

test.serial('keys without a use are reported by part', async (t) => {
  const { from } = await place(t);
  await writeThirds(join(from, 'text_encoder/model.safetensors'), { 'text_model.final_layer_norm.weight': [4], 'text_model.embeddings.position_ids': [1], extra: [1] }); // prettier-ignore
  const { unused, folder } = await imported(from);
  t.deepEqual(unused, ['text_encoder.extra']);
  const source = await openWeights(join(folder, 'text_encoder/model.safetensors'));
  t.teardown(() => source.close());
  t.deepEqual([...source.entries.keys()], ['text_model.final_layer_norm.weight']);
});

test.serial('an interrupted import leaves nothing', async (t) => {
  const { from, models } = await place(t);
  const controller = new AbortController();
  const onProgress = (done: number, total: number): void => {
    t.true(done > 0 && done <= total);
    t.is(total, 9 + 8 + 4);
    controller.abort();
  };
  const error = await t.throwsAsync(
    () => imported(from, { onProgress, signal: controller.signal }),
    { any: true },
  );
  t.is(error, controller.signal.reason);
  await nothingIn(t, models);
});

test.serial('what a killed import left is not listed, and goes', async (t) => {
  const { from, models } = await place(t);
  await mkdir(models, { recursive: true });
  const host = hostname().replace(/[^A-Za-z0-9-]/g, '-');
  const dead = `.import~a~${host}~${2 ** 22 + 1}~00000000`; // above any process's number
  const alive = `.import~b~${host}~${process.pid}~00000000`;
  const elsewhere = `.import~c~another-host~1~00000000`;
  for (const name of [dead, alive, elsewhere]) await writeTinyModel(join(models, name));
  t.deepEqual(await stored(), []);
  t.deepEqual(await readdir(models), [alive, elsewhere].sort());
  await imported(from);
  t.deepEqual(await stored(), ['sd21']);
});

const differs = test.macro<[change: (folder: string) => unknown, problems: readonly string[]]>({
  async exec(t, change, problems) {
    const { from } = await place(t);
    const { folder } = await imported(from);
    await change(folder);
    const found = await verifyModel(await resolveModel('sd21'));
    t.deepEqual(found.map(({ file, problem }) => `${file}: ${problem}`), problems); // prettier-ignore
  },
  title: (what) => `verify finds ${what}`,
});
test.serial('a file that grew', differs, (f) => appendFile(join(f, unetFile), 'x'), [`${unetFile}: changed`]); // prettier-ignore
test.serial('a file whose size is right', differs, (f) => writeFile(join(f, 'tokenizer/vocab.json'), '[]'), ['tokenizer/vocab.json: changed']); // prettier-ignore
test.serial('a file that is gone', differs, remove(unetFile), [`${unetFile}: missing`]);
test.serial('a link out of the model', differs, linkOut('vae'), ['vae/config.json: unreadable', `${vaeFile}: unreadable`, 'vae: not in the manifest']); // prettier-ignore
test.serial('a file more', differs, write('unet/x.py', ''), ['unet/x.py: not in the manifest']);

test.serial('a model without a sound manifest is listed with what is wrong', async (t) => {
  const { from } = await place(t);
  const { folder } = await imported(from);
  const path = join(folder, 'manifest.json');
  const manifest = await readFile(path, 'utf8');
  const broken = {
    'is damaged': manifest.replace('"prompt": "null-prompt"', '"prompt": "x"'),
    'format version 1, got 2': manifest.replace('"formatVersion": 1', '"formatVersion": 2'),
    'may leave it': manifest.replace('"tokenizer/vocab.json"', '"../../vocab.json"'),
    'expected JSON': manifest.slice(1),
  };
  for (const [message, text] of Object.entries(broken)) {
    await writeFile(path, text);
    const [model] = (await listModels()).filter(({ name }) => name === 'sd21');
    t.true(model && 'error' in model && model.error.includes(message), message);
    await t.throwsAsync(() => resolveModel('sd21'), { instanceOf: OsediffError });
  }
  await rm(path);
  await t.throwsAsync(() => resolveModel('sd21'), { instanceOf: PathError });
  await removeModel('sd21');
  t.deepEqual(await stored(), []);
});

test.serial('a removed model is gone, and so is the way to it', async (t) => {
  const { from, models } = await place(t);
  await imported(from);
  await removeModel('sd21');
  await nothingIn(t, models);
  await t.throwsAsync(() => removeModel('sd21'), {
    instanceOf: PathError,
    message: /none of that name/,
  });
  await t.throwsAsync(() => resolveModel('sd21'), {
    instanceOf: PathError,
    message: /"sd21": expected a model's folder or one of .*osediff model import DIR --name/,
  });
});

test.serial('removing a link in the store leaves what it points to', async (t) => {
  const { from, models } = await place(t);
  await mkdir(models, { recursive: true });
  await symlink(from, join(models, 'link'));
  await removeModel('link');
  t.true((await readdir(from)).includes('unet'));
  await nothingIn(t, models);
});

test.serial('a folder is a model by its path', async (t) => {
  const { from } = await place(t);
  t.deepEqual(await resolveModel(from), {
    name: 'model',
    folder: from,
    place: 'folder',
    manifest: undefined,
  });
  await t.throwsAsync(async () => verifyModel(await resolveModel(from)), { instanceOf: PathError });
  await t.throwsAsync(() => resolveModel(join(from, 'none')), { instanceOf: PathError });
  await t.throwsAsync(() => resolveModel(''), { instanceOf: PathError });
});

test.serial('a store that cannot be made is an error that says so', async (t) => {
  const { from } = await place(t);
  process.env['OSEDIFF_HOME'] = join(from, 'README.md');
  await t.throwsAsync(() => imported(from), { instanceOf: PathError, message: /README\.md/ });
});

test.serial('a config that is no object is refused when a folder is read', async (t) => {
  const { from } = await place(t);
  await writeFile(join(from, 'osediff.json'), '7');
  await t.throwsAsync(() => imported(from), { instanceOf: FormatError });
});
