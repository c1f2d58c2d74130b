import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FormatError, OsediffError, PathError, WeightError } from '../../src/tensor/errors.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { type FolderOptions, openFolder, openWeights } from '../../src/weights/source.ts';
import { dict, floats, rebuilt, storage, torchBytes } from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden, readGolden } from '../helpers/golden.ts';

/** Writes weights `a` = [value] as the file's extension says, so that the value tells files apart. */
async function put(path: string, value: number, key = 'a'): Promise<void> {
  if (path.endsWith('.safetensors')) {
    await writeSafetensors(path, new Map([[key, planned(float32([1], [value]))]]));
  } else if (path.endsWith('.json')) {
    const shard = path.replace(/^.*\//, '').replace(/\.index.*$/, '').replace('.', '-1.'); // prettier-ignore
    await put(path.replace(/[^/]*$/, shard), value, key);
    await writeFile(path, JSON.stringify({ metadata: {}, weight_map: { [key]: shard } }));
  } else {
    const stored = rebuilt(storage('FloatStorage', '0', 1), [1], [1]);
    await writeFile(path, torchBytes(dict({ [key]: stored }), { '0': floats(value) }));
  }
}

const stems = ['model', 'pytorch_model'];

async function opened(
  t: ExecutionContext,
  folder: string,
  options: FolderOptions = {},
): Promise<number> {
  const source = await openFolder(folder, stems, options);
  t.teardown(() => source.close());
  return toFloat32(await source.read('a')).data[0]!;
}

/** Of these files, numbered from 0, the one at `taken` is opened. */
const takes = test.macro<[files: string, taken: number, variant?: string]>({
  async exec(t, files, taken, variant) {
    const folder = temporaryFolder(t);
    for (const [i, file] of files.split(' ').entries()) await put(join(folder, file), i);
    t.is(await opened(t, folder, { variant }), taken);
  },
  title: (_, files, taken, variant) =>
    `of ${files} takes ${files.split(' ')[taken]!}${variant ? ` as variant ${variant}` : ''}`,
});

test(takes, 'model.bin model.fp16.safetensors model.safetensors', 2);
test(takes, 'model.bin model.safetensors.index.json', 1);
test(takes, 'model.safetensors.index.json model.safetensors', 1);
test(takes, 'pytorch_model.bin', 0);
test(takes, 'pytorch_model.bin.index.json', 0);
test(takes, 'pytorch_model.bin model.bf16.safetensors model.fp16.safetensors', 0);
test(takes, 'model.fp16.safetensors', 0);
test(takes, 'model.safetensors model.fp16.safetensors model.bf16.safetensors', 1, 'fp16');
test(takes, 'model.safetensors model.fp16.bin', 1, 'fp16');
test(takes, 'model.safetensors model.safetensors.index.fp16.json', 1, 'fp16');
test(takes, 'model.fp16.bin model.fp16.safetensors', 1, 'fp16');

test('a variant that is not there is an error that lists what is', async (t) => {
  const folder = temporaryFolder(t);
  await put(join(folder, 'model.safetensors'), 0);
  await t.throwsAsync(() => openFolder(folder, stems, { variant: 'fp16' }), {
    instanceOf: PathError,
    message: /variant "fp16" named model or pytorch_model, got model\.safetensors\./,
  });
});

test('two variants and nothing plain is an error that lists them', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['fp16', 'bf16']) await put(join(folder, `model.${name}.safetensors`), 0);
  await t.throwsAsync(() => openFolder(folder, stems), {
    instanceOf: PathError,
    message: /got model\.bf16\.safetensors, model\.fp16\.safetensors/,
  });
});

for (const extension of ['safetensors', 'bin', 'ckpt', 'pth']) {
  test(`opens a .${extension} file by what is in it`, async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, `x.${extension}`);
    await put(path, 7);
    const source = await openWeights(path);
    t.teardown(() => source.close());
    t.deepEqual([...source.entries.keys()], ['a']);
    t.like(source.entries.get('a'), { dtype: 'float32', shape: [1] });
    t.is(source.label, `x.${extension}`);
  });
}

test('safetensors without an extension are known by their content', async (t) => {
  const folder = temporaryFolder(t);
  await put(join(folder, 'x.safetensors'), 7);
  await symlink('x.safetensors', join(folder, 'blob'));
  const source = await openWeights(join(folder, 'blob'));
  t.teardown(() => source.close());
  t.is((await source.read('a')).data[0], 7);
});

/** A folder of two shards, `a` in the first and `b` in the second, with this index. */
async function shards(t: ExecutionContext, index: object): Promise<string> {
  const folder = join(temporaryFolder(t), 'unet');
  await mkdir(folder);
  await put(join(folder, '1.safetensors'), 1, 'a');
  await put(join(folder, '2.safetensors'), 2, 'b');
  await put(join(folder, '..', 'outside.safetensors'), 3, 'c');
  await symlink('../outside.safetensors', join(folder, 'link.safetensors'));
  await symlink('2.safetensors', join(folder, 'inside.safetensors'));
  const path = join(folder, 'model.safetensors.index.json');
  await writeFile(path, JSON.stringify(index));
  return path;
}

test('shards are one source', async (t) => {
  const weights = { a: '1.safetensors', b: 'inside.safetensors' };
  const source = await openWeights(await shards(t, { weight_map: weights }));
  t.teardown(() => source.close());
  t.deepEqual([...source.entries.keys()], ['a', 'b']);
  t.deepEqual([(await source.read('a')).data[0], (await source.read('b')).data[0]], [1, 2]);
  await t.throwsAsync(() => source.read('c'), { instanceOf: WeightError, message: /"c"/ });
});

const refusesIndex = test.macro({
  async exec(t, index: object, message: RegExp) {
    const path = await shards(t, index);
    const error = await t.throwsAsync(() => openWeights(path), { instanceOf: OsediffError });
    t.regex(error.message, message);
  },
  title: (what) => `refuses an index ${what}`,
});

const both = { a: '1.safetensors', b: '2.safetensors' };
test('without a weight_map', refusesIndex, { weights: both }, /"weight_map"/);
test('whose weight_map is a list', refusesIndex, { weight_map: [] }, /"weight_map"/);
test(
  'that names a number',
  refusesIndex,
  { weight_map: { a: 1 } },
  /a file beside the index for "a"/,
);
test('that names a file above', refusesIndex, { weight_map: { a: '../outside.safetensors' } }, /beside the index for "a"/); // prettier-ignore
test('that names an absolute path', refusesIndex, { weight_map: { a: '/etc/passwd' } }, /beside the index/); // prettier-ignore
test('that names a path on a drive', refusesIndex, { weight_map: { a: 'C:\\x' } }, /may leave it/);
test('that names ..', refusesIndex, { weight_map: { a: '..' } }, /may leave it/);
test('that names a link out of the folder', refusesIndex, { weight_map: { c: 'link.safetensors' } }, /a link out of it.*cp -rL/); // prettier-ignore
test('that names itself', refusesIndex, { weight_map: { a: 'model.safetensors.index.json' } }, /beside the index/); // prettier-ignore
test('whose shard is missing', refusesIndex, { weight_map: { ...both, c: '3.safetensors' } }, /3\.safetensors: no such file/); // prettier-ignore
test('whose shard lacks a key', refusesIndex, { weight_map: { ...both, z: '1.safetensors' } }, /lack "z" \(1\.safetensors\)/); // prettier-ignore
test('that leaves out a key of a shard', refusesIndex, { weight_map: { a: '1.safetensors', x: '1.safetensors' } }, /lack "x"/); // prettier-ignore
test('that puts a key into the wrong shard', refusesIndex, { weight_map: { a: '2.safetensors', b: '1.safetensors' } }, /lack "a"/); // prettier-ignore

test('an index with a key twice is refused', async (t) => {
  const path = await shards(t, {});
  await writeFile(path, '{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}');
  await t.throwsAsync(() => openWeights(path), { instanceOf: FormatError, message: /"a" stands/ });
});

test('a key of a shard that the index leaves out is named', async (t) => {
  const path = await shards(t, { weight_map: { a: 'both.safetensors' } });
  const tensors = ['a', 'left out'].map((key) => [key, planned(float32([1], [0]))] as const);
  await writeSafetensors(join(path, '..', 'both.safetensors'), new Map(tensors));
  await t.throwsAsync(() => openWeights(path), {
    instanceOf: WeightError,
    message: /does not name "left out"/,
  });
});

test('weights that are a link out of the folder are refused', async (t) => {
  const root = temporaryFolder(t);
  const folder = join(root, 'unet');
  await mkdir(folder);
  await put(join(root, 'outside.safetensors'), 1);
  await symlink('../outside.safetensors', join(folder, 'model.safetensors'));
  await t.throwsAsync(() => openFolder(folder, stems), {
    instanceOf: PathError,
    message: /a link out of it/,
  });
  t.is(await opened(t, folder, { root }), 1); // within the model's own folder it may point anywhere
});

const unet = golden('models/tiny/unet/diffusion_pytorch_model.safetensors');
const forms = [
  ['unet/diffusion_pytorch_model.fp16.safetensors', 2 ** -11],
  ['unet/diffusion_pytorch_model.bf16.safetensors', 2 ** -8],
  ['unet/diffusion_pytorch_model.bin', 2 ** -11],
  ['unet-sharded/diffusion_pytorch_model.safetensors.index.json', 2 ** -11],
] as const;
for (const [file, precision] of forms) {
  (unet ? test : test.skip)(
    `the golden ${file} is its float32 weights within their precision (skipped without ../shared)`,
    async (t) => {
      const source = await openWeights(golden(`models/tiny/${file}`)!);
      t.teardown(() => source.close());
      const expected = readGolden(unet!);
      t.is(source.entries.size, expected.size);
      for (const [key, { shape, data }] of expected) {
        const got = toFloat32(await source.read(key));
        t.deepEqual(got.shape, shape);
        const off = got.data.findIndex(
          // half a unit in the last place, below 2^-14 of float16's smallest normal number
          (value, i) => Math.abs(value - (data as Float32Array)[i]!) > precision * Math.max(Math.abs((data as Float32Array)[i]!), 2 ** -14), // prettier-ignore
        );
        t.is(off, -1, key);
      }
    },
  );
}
