import { open, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { allocate, type DType } from '../../src/tensor/dtype.ts';
import { FormatError, PathError, ShapeError, WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { floats, safetensorsBytes } from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden, readGolden } from '../helpers/golden.ts';

const one = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
const data = floats(1, 2);

const isRefused = test.macro({
  async exec(t, bytes: Uint8Array, message: RegExp) {
    const path = join(temporaryFolder(t), 'broken.safetensors');
    await writeFile(path, bytes);
    const error = await t.throwsAsync(() => openSafetensors(path), { instanceOf: FormatError });
    t.regex(error.message, message);
    t.regex(error.message, /^broken\.safetensors: /);
    t.false(error.message.includes('\n'));
  },
  title: (what) => `refuses a file ${what}`,
});

/** A file with this header over eight bytes of data. */
const headed = (header: string): Uint8Array => safetensorsBytes(header, data);
const offsets = (value: string): Uint8Array =>
  headed(`{"a":{"dtype":"F32","shape":[2],"data_offsets":${value}}}`);
const shaped = (shape: string, dtype = 'F32'): Uint8Array =>
  headed(`{"a":{"dtype":"${dtype}","shape":${shape},"data_offsets":[0,8]}}`);
const pair = (a: string, b: string): Uint8Array =>
  headed(
    `{"a":{"dtype":"F32","shape":[1],"data_offsets":${a}},"b":{"dtype":"F32","shape":[1],"data_offsets":${b}}}`,
  );

test('of no more than seven bytes', isRefused, Buffer.from('1234567'), /got 7 bytes/);
test(
  'whose header is said to be longer than the file',
  isRefused,
  safetensorsBytes(`{"a":${one}}`, data, 1000n),
  /header of at most 62 bytes, got 1000/,
);
test(
  'whose header is said to have 2^63 bytes',
  isRefused,
  safetensorsBytes(`{"a":${one}}`, data, 2n ** 63n),
  /got 9223372036854775808/,
);
test('of other text', isRefused, Buffer.from('not a checkpoint at all'), /header of at most/);
test('with an empty header', isRefused, safetensorsBytes('', data), /starts with "\{"/);
test('with a space before its header', isRefused, headed(` {"a":${one}}`), /starts with "\{"/);
test('whose header is no JSON', isRefused, headed(`{"a":${one}`), /expected JSON/);
test('whose header is a list', isRefused, headed(`[${one}]`), /starts with "\{"/);
test(
  'whose header is no UTF-8',
  isRefused,
  safetensorsBytes(Buffer.from(`{"a\xff":${one}}`, 'latin1'), data),
  /UTF-8/,
);
test('with one tensor twice', isRefused, headed(`{"a":${one},"a":${one}}`), /"a" stands twice/);
test(
  'with one tensor twice, spelled differently',
  isRefused,
  headed(`{"a":${one},"\\u0061" : ${one}}`),
  /"a" stands twice/,
);
test(
  'with one field of a tensor twice',
  isRefused,
  headed('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
  /"dtype" stands twice/,
);
test('with a tensor that is a number', isRefused, headed('{"a":7}'), /"a": expected the fields/);
test(
  'with a tensor without a shape',
  isRefused,
  headed('{"a":{"dtype":"F32","data_offsets":[0,8]}}'),
  /expected the fields dtype, shape and data_offsets, got "data_offsets dtype"/,
);
test(
  'with a tensor that has a further field',
  isRefused,
  headed('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"__proto__":{}}}'),
  /expected the fields/,
);
test('with an unknown dtype', isRefused, shaped('[8]', 'F8_E4M3'), /"a".*got "F8_E4M3"/);
test('with a dtype of Object itself', isRefused, shaped('[8]', 'toString'), /got "toString"/);
test('with a negative size', isRefused, shaped('[-2]'), /whole sizes as shape, got \[-2\]/);
test('with a size that is not whole', isRefused, shaped('[2.5]'), /got \[2\.5\]/);
test('with a size that is text', isRefused, shaped('["2"]'), /whole sizes/);
test('with a shape that is a number', isRefused, shaped('2'), /whole sizes/);
test(
  'with sizes whose product overflows',
  isRefused,
  shaped('[4294967296,4294967296]'),
  /whole sizes/,
);
test('whose dtype times shape is not its bytes', isRefused, shaped('[3]'), /12 bytes.*got 8/);
test('with one offset', isRefused, offsets('[0]'), /two ascending data_offsets/);
test('with descending offsets', isRefused, offsets('[8,0]'), /two ascending data_offsets/);
test('with a negative offset', isRefused, offsets('[-8,0]'), /two ascending data_offsets/);
test('with offsets past its end', isRefused, offsets('[8,16]'), /within 8 bytes, got .* 8 to 16/);
test('with a hole at the start', isRefused, pair('[4,8]', '[8,8]'), /"b": expected 4 bytes/);
test(
  'with a hole between tensors',
  isRefused,
  safetensorsBytes(
    '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
    data,
  ),
  /"b" leaves a hole before it: expected data from 3, got 4/,
);
test('with a hole before all tensors', isRefused, offsetsOf('U8', 4, 4, 8), /"a" leaves a hole/);
test('with overlapping tensors', isRefused, pair('[0,4]', '[0,4]'), /"b" overlaps the one before/);
test('with bytes no tensor names', isRefused, offsetsOf('U8', 4, 0, 4), /4 bytes of data, got 8/);
test('that is cut short', isRefused, headed(`{"a":${one}}`).slice(0, -1), /within 7 bytes/);
test('with metadata that is a list', isRefused, headed('{"__metadata__":[]}'), /__metadata__/);
test(
  'with metadata that is a number',
  isRefused,
  headed(`{"__metadata__":{"n":1},"a":${one}}`),
  /a string as metadata "n"/,
);

function offsetsOf(dtype: string, size: number, start: number, end: number): Uint8Array {
  return headed(`{"a":{"dtype":"${dtype}","shape":[${size}],"data_offsets":[${start},${end}]}}`);
}

test('a name that would break the message is shortened and escaped', async (t) => {
  const path = join(temporaryFolder(t), 'x.safetensors');
  const name = `\\n${'n'.repeat(500)}`;
  await writeFile(path, headed(`{"${name}":7}`));
  const error = await t.throwsAsync(() => openSafetensors(path));
  t.true(error.message.length < 300);
  t.false(error.message.includes('\n'));
});

test('keys such as __proto__ and 7 are keys like any other', async (t) => {
  const path = join(temporaryFolder(t), 'x.safetensors');
  const keys = ['__proto__', 'constructor', '7', 'a\u{1f600}"\\'];
  const tensors = keys.map((key, i) => [key, planned(float32([2], [i, -i]))] as const);
  await writeSafetensors(path, new Map(tensors), { __proto__x: 'y', toString: 'z' });
  const file = await openSafetensors(path);
  t.teardown(() => file.close());
  t.deepEqual([...file.entries.keys()].sort(), [...keys].sort());
  t.deepEqual([...(await file.read('__proto__')).data], [0, -0]);
  t.deepEqual([...(await file.read('7')).data], [2, -2]);
  t.is(file.metadata.get('toString'), 'z');
  t.is(file.metadata.get('hasOwnProperty'), undefined);
  await t.throwsAsync(() => file.read('valueOf'), { instanceOf: WeightError, message: /valueOf/ });
});

const dtypes = 'float64 float32 float16 bfloat16 int64 int32 int16 int8 uint16 uint8 bool';
for (const dtype of dtypes.split(' ') as DType[]) {
  test(`${dtype} comes back as it was written, scalars and empty ones too`, async (t) => {
    const path = join(temporaryFolder(t), 'x.safetensors');
    const full = allocate(dtype, 6);
    new Uint8Array(full.buffer).set([1, 0, 1, 1, 0, 1]);
    const tensors = {
      full: tensor(dtype, [2, 3], full),
      scalar: tensor(dtype, [], allocate(dtype, 1)),
      empty: tensor(dtype, [3, 0], allocate(dtype, 0)),
    };
    const plans = Object.entries(tensors).map(([key, x]) => [key, planned(x)] as const);
    await writeSafetensors(path, new Map(plans));
    const file = await openSafetensors(path);
    t.teardown(() => file.close());
    for (const [key, x] of Object.entries(tensors)) t.deepEqual(await file.read(key), x);
  });
}

test('the same tensors give the same bytes, in whatever order they come', async (t) => {
  const folder = temporaryFolder(t);
  const tensors = [
    ['b', planned(float32([1], [1]))],
    ['a', planned(tensor('uint8', [3], new Uint8Array([1, 2, 3])))],
    ['c', planned(tensor('int64', [1], new BigInt64Array([5n])))],
  ] as const;
  await writeSafetensors(join(folder, '1'), new Map(tensors), { x: '1', y: '2' });
  await writeSafetensors(join(folder, '2'), new Map([...tensors].reverse()), { y: '2', x: '1' });
  const bytes = await readFile(join(folder, '1'));
  t.deepEqual(await readFile(join(folder, '2')), bytes);
  const length = Number(bytes.readBigUInt64LE());
  t.is(length % 8, 0);
  t.is(
    bytes
      .subarray(8, 8 + length)
      .toString()
      .trimEnd(),
    '{"__metadata__":{"x":"1","y":"2"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"a":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}}',
  );
});

test('a write that fails leaves the old file as it was, and nothing beside it', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'x.safetensors');
  await writeSafetensors(path, new Map([['a', planned(float32([1], [1]))]]));
  const before = await readFile(path);
  const fails = (read: () => Tensor): Promise<void> =>
    writeSafetensors(path, new Map([['a', { dtype: 'float32', shape: [1], read }]]));
  await t.throwsAsync(
    fails(() => {
      throw new RangeError('no data');
    }),
    { instanceOf: RangeError },
  );
  await t.throwsAsync(
    fails(() => float32([2], [1, 2])),
    { instanceOf: ShapeError, message: /tensor "a": expected float32 \[1\], got float32 \[2\]/ },
  );
  t.deepEqual(await readFile(path), before);
  t.deepEqual(await readdir(folder), ['x.safetensors']);
});

test('a file in a folder that is not there is an error that says so', async (t) => {
  const path = join(temporaryFolder(t), 'none', 'x.safetensors');
  await t.throwsAsync(() => openSafetensors(path), { instanceOf: PathError, message: /no such/ });
  await t.throwsAsync(() => writeSafetensors(path, new Map()), { instanceOf: PathError });
});

(process.platform === 'win32' ? test.skip : test)(
  'reads a tensor that lies beyond 5 GiB of others (skipped on Windows: needs a sparse file)',
  async (t) => {
    const path = join(temporaryFolder(t), 'large.safetensors');
    const size = 5 * 2 ** 30;
    const header = `{"large":{"dtype":"F32","shape":[${size / 4}],"data_offsets":[0,${size}]},"b":{"dtype":"F32","shape":[2],"data_offsets":[${size},${size + 8}]}}`;
    await writeFile(path, safetensorsBytes(header));
    await truncate(path, 8 + header.length + size + 8);
    const handle = await open(path, 'r+');
    await handle.write(data, 0, 8, 8 + header.length + size);
    await handle.close();
    const file = await openSafetensors(path);
    t.teardown(() => file.close());
    t.deepEqual(await file.read('b'), float32([2], [1, 2]));
    t.true(process.memoryUsage().arrayBuffers < 2 ** 28);
  },
);

const reference = golden('models/tiny/vae/diffusion_pytorch_model.safetensors');
(reference ? test : test.skip)(
  'reads the golden VAE as its own library wrote it (skipped without ../shared)',
  async (t) => {
    const expected = readGolden(reference!);
    const file = await openSafetensors(reference!);
    t.teardown(() => file.close());
    t.is(file.entries.size, 248);
    t.deepEqual([...file.metadata], [['format', 'pt']]);
    for (const [key, x] of expected) t.deepEqual(await file.read(key), x);
  },
);
