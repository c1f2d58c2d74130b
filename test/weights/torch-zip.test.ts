import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { FormatError, WeightError } from '../../src/tensor/errors.ts';
import { openTorch, openTorchWeights } from '../../src/weights/torch-zip.ts';
import {
  call,
  code,
  dict,
  floats,
  global,
  int,
  list,
  pickle,
  rebuilt,
  storage,
  text,
  torchBytes,
  zipBytes,
} from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden, readGolden } from '../helpers/golden.ts';

const six = storage('FloatStorage', '0', 6);
const data = { '0': floats(0, 1, 2, 3, 4, 5) };

const readsTensor = test.macro({
  async exec(t, bytes: Uint8Array, shape: string, values: readonly number[]) {
    const path = join(temporaryFolder(t), 'x.pth');
    await writeFile(path, bytes);
    const source = await openTorchWeights(path);
    t.teardown(() => source.close());
    t.is(source.entries.get('a')!.shape.join(), shape);
    const x = await source.read('a');
    t.is(x.shape.join(), shape);
    t.deepEqual([...x.data].map(Number), [...values]);
  },
  title: (what) => `reads ${what}`,
});

const tensorA = (value: Buffer): Uint8Array => torchBytes(dict({ a: value }), data);
test('a tensor', readsTensor, tensorA(rebuilt(six, [2, 3], [3, 1])), '2,3', [0, 1, 2, 3, 4, 5]);
test('a part of a storage', readsTensor, tensorA(rebuilt(six, [2], [1], 3)), '2', [3, 4]);
test('a transposed one', readsTensor, tensorA(rebuilt(six, [3, 2], [1, 3])), '3,2', [0, 3, 1, 4, 2, 5]); // prettier-ignore
test('a column', readsTensor, tensorA(rebuilt(six, [2], [3], 1)), '2', [1, 4]);
test('channels-last order', readsTensor, tensorA(rebuilt(six, [1, 3, 1, 2], [6, 1, 6, 3])), '1,3,1,2', [0, 3, 1, 4, 2, 5]); // prettier-ignore
test('a repeated element', readsTensor, tensorA(rebuilt(six, [2, 2], [0, 1], 4)), '2,2', [4, 5, 4, 5]); // prettier-ignore
test('a scalar', readsTensor, tensorA(rebuilt(six, [], [], 5)), '', [5]);
test('an empty tensor', readsTensor, tensorA(rebuilt(six, [0, 3], [3, 1])), '0,3', []);
test(
  'a tensor that lay on a GPU',
  readsTensor,
  tensorA(rebuilt(storage('FloatStorage', '0', 6, 'cuda:0'), [6], [1])),
  '6',
  [0, 1, 2, 3, 4, 5],
);
test(
  'integers',
  readsTensor,
  torchBytes(dict({ a: rebuilt(storage('LongStorage', 'k', 2), [2], [1]) }), {
    k: new Uint8Array(new BigInt64Array([-1n, 2n]).buffer),
  }),
  '2',
  [-1, 2],
);
test(
  'a zip64 archive',
  readsTensor,
  torchBytes(dict({ a: rebuilt(six, [6], [1]) }), data, { zip64: true }),
  '6',
  [0, 1, 2, 3, 4, 5],
);
test(
  'weights under state_dict, beside other things',
  readsTensor,
  torchBytes(dict({ epoch: int(3), state_dict: dict({ a: rebuilt(six, [1], [1]) }) }), data),
  '1',
  [0],
);

const isRefused = test.macro({
  async exec(t, bytes: Uint8Array, message: RegExp) {
    const path = join(temporaryFolder(t), 'x.pkl');
    await writeFile(path, bytes);
    const error = await t.throwsAsync(
      async () => {
        const source = await openTorchWeights(path);
        t.teardown(() => source.close());
        await source.read('a');
      },
      { any: true },
    );
    t.true(error instanceof FormatError || error instanceof WeightError, String(error));
    t.regex((error as Error).message, message);
    t.regex((error as Error).message, /^x\.pkl: .*\.$/);
  },
  title: (what) => `refuses ${what}`,
});

const system = call(global('os', 'system'), text('touch /tmp/owned'));
test(
  'os.system',
  isRefused,
  torchBytes(dict({ a: system })),
  /refused global "os.system" at byte 10/,
);
test(
  'a bare pickle with os.system',
  isRefused,
  pickle(system),
  /refused global "os.system" at byte 2/,
);
test('the same of protocol 0', isRefused, code('cposix\nsystem\n(Vid\ntR.'), /"posix.system" at byte 0/); // prettier-ignore
test('a bare pickle', isRefused, pickle(dict({})), /bare pickle of dict/);
test('a text file', isRefused, Buffer.from('checkpoint\n'), /expected a zip file/);
test('an empty file', isRefused, new Uint8Array(), /expected a zip file/);
test('a zip cut short', isRefused, torchBytes(dict({})).slice(0, -30), /cut short/);
test('packed entries', isRefused, zipBytes([['m/data.pkl', pickle(dict({}))]], { method: 8 }), /a packed one/); // prettier-ignore
test('encrypted entries', isRefused, zipBytes([['m/data.pkl', pickle(dict({}))]], { flags: 1 }), /encrypted/); // prettier-ignore
test('a zip without a pickle', isRefused, zipBytes([['a.txt', floats(1)]]), /one data\.pkl.*got 0/);
test(
  'a zip with two pickles',
  isRefused,
  zipBytes(['a', 'b'].map((name) => [`${name}/data.pkl`, pickle(dict({}))])),
  /one data\.pkl.*got 2/,
);
test(
  'one entry twice',
  isRefused,
  zipBytes([['m/data.pkl', pickle(dict({}))], ['m/data.pkl', pickle(system)]]), // prettier-ignore
  /"m\/data\.pkl" stands twice/,
);
test(
  'big-endian data',
  isRefused,
  zipBytes([['m/data.pkl', pickle(dict({}))], ['m/byteorder', Buffer.from('big')]]), // prettier-ignore
  /little-endian data, got "big"/,
);
test('a storage that is missing', isRefused, torchBytes(dict({ a: rebuilt(six, [6], [1]) })), /tensor "a".*no such entry/); // prettier-ignore
test(
  'a storage of another size',
  isRefused,
  torchBytes(dict({ a: rebuilt(six, [6], [1]) }), { '0': floats(1, 2, 3, 4, 5) }),
  /tensor "a": expected 24 bytes .* got 20/,
);
test('a list', isRefused, torchBytes(list(int(1))), /expected a dict of tensors, got list/);
test('other values among tensors', isRefused, torchBytes(dict({ a: rebuilt(six, [6], [1]), n: int(1) }), data), /got int as "n"/); // prettier-ignore

test('tensors are read when they are asked for, not before', async (t) => {
  const path = join(temporaryFolder(t), 'x.pth');
  const missing = rebuilt(storage('FloatStorage', 'gone', 6), [6], [1]);
  await writeFile(path, torchBytes(dict({ a: rebuilt(six, [6], [1]), b: missing }), data));
  const source = await openTorchWeights(path);
  t.teardown(() => source.close());
  t.deepEqual([...source.entries.keys()], ['a', 'b']);
  t.is((await source.read('a')).data[5], 5);
  await t.throwsAsync(() => source.read('b'), { message: /no such entry/ });
  await t.throwsAsync(() => source.read('c'), { instanceOf: WeightError, message: /"c"/ });
});

const bin = golden('models/tiny/unet/diffusion_pytorch_model.bin');
const half = golden('models/tiny/unet/diffusion_pytorch_model.fp16.safetensors');
(bin && half ? test : test.skip)(
  'the golden .bin holds the bits of its fp16 safetensors (skipped without ../shared)',
  async (t) => {
    const expected = readGolden(half!);
    const source = await openTorchWeights(bin!);
    t.teardown(() => source.close());
    t.deepEqual([...source.entries.keys()].sort(), [...expected.keys()].sort());
    for (const [key, x] of expected) t.deepEqual(await source.read(key), x);
  },
);

const checkpoints = ['lora/osediff.pkl', 'lora/osediff-cuda.pkl'].map(golden);
(checkpoints.every(Boolean) ? test : test.skip)(
  'a checkpoint saved on a GPU gives the same value (skipped without ../shared)',
  async (t) => {
    const [cpu, cuda] = await Promise.all(checkpoints.map((path) => openTorch(path!)));
    t.teardown(() => Promise.all([cpu!.close(), cuda!.close()]));
    const plain = JSON.stringify(cpu!.value, asEntries);
    t.true(plain.length > 100_000);
    t.is(JSON.stringify(cuda!.value, asEntries), plain);
  },
);

/** Maps as entries, devices left out. */
function asEntries(key: string, value: unknown): unknown {
  if (key === 'device') return undefined;
  return value instanceof Map ? [...value] : value;
}
