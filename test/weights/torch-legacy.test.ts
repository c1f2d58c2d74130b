/** @file Checkpoints of torch before 1.6, made byte by byte. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FormatError } from '../../src/tensor/errors.ts';
import { openWeights, type WeightSource } from '../../src/weights/source.ts';
import {
  call,
  type Code,
  code,
  dict,
  floats,
  global,
  int,
  list,
  pickle,
  rebuilt,
  text,
  tuple,
} from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const magic = code(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
const little = dict({ little_endian: code(0x88) });
const none = code('N');

/** A storage by its persistent id with a view, as these versions write it. */
function storage(key: string, elements: number, view: Code = none): Code {
  const type = global('torch', 'FloatStorage');
  return code(tuple(text('storage'), type, text(key), text('cuda:0'), int(elements), view), 'Q');
}

/** A storage as it stands in the file: its count, then its elements. */
function stored(...values: readonly number[]): Uint8Array {
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(BigInt(values.length));
  return Buffer.concat([count, floats(...values)]);
}

interface Legacy {
  readonly value: Code;
  readonly keys?: Code;
  readonly machine?: Code;
  readonly version?: Code;
  readonly storages?: readonly Uint8Array[];
}

const pair = {
  a: rebuilt(storage('11', 4), [2, 2], [1, 2]),
  b: rebuilt(storage('7', 2), [1], [1], 1),
};

function legacyBytes({
  value,
  keys = list(text('7'), text('11')),
  machine = little,
  version = int(1001),
  storages = [stored(8, 9), stored(1, 2, 3, 4)],
}: Legacy): Uint8Array {
  const pickles = [magic, version, machine, value, keys].map((one) => pickle(one));
  return Buffer.concat([...pickles, ...storages]);
}

async function open(t: ExecutionContext, bytes: Uint8Array): Promise<WeightSource> {
  const path = join(temporaryFolder(t), 'x.pth');
  await writeFile(path, bytes);
  const source = await openWeights(path);
  t.teardown(() => source.close());
  return source;
}

test('tensors lie in storages that follow each other in the order of their keys', async (t) => {
  const source = await open(t, legacyBytes({ value: dict(pair) }));
  t.deepEqual([...source.entries.keys()], ['a', 'b']);
  t.deepEqual([...(await source.read('a')).data].map(Number), [1, 3, 2, 4]); // transposed
  t.deepEqual([...(await source.read('b')).data].map(Number), [9]);
});

test('the tensors of the first versions are read, and nested models', async (t) => {
  const first = call(
    global('torch._utils', '_rebuild_tensor'),
    storage('7', 2),
    int(0),
    tuple(int(2)),
    tuple(int(1)),
  );
  const value = dict({ epoch: int(3), state_dict: dict({ w: first }) });
  const source = await open(t, legacyBytes({ value, keys: list(text('7')) }));
  t.deepEqual([...(await source.read('w')).data].map(Number), [8, 9]);
});

const refused = test.macro(async (t, bytes: Uint8Array, message: RegExp) => {
  await t.throwsAsync(
    async () => {
      const source = await open(t, bytes);
      for (const key of source.entries.keys()) await source.read(key);
    },
    { instanceOf: FormatError, message },
  );
});
const value = dict(pair);
test('refuses a file cut short', refused, legacyBytes({ value, storages: [stored(8, 9)] }), /expected \d+ bytes, got .*Download it again/); // prettier-ignore
test('refuses a storage of another length', refused, legacyBytes({ value, storages: [stored(8, 9), Buffer.concat([stored(1, 2, 3), floats(4)])] }), /"a": expected 4 elements of float32, got 3/); // prettier-ignore
test('refuses a storage that no tensor lies in', refused, legacyBytes({ value, keys: list(text('5')) }), /of unknown length/); // prettier-ignore
test('refuses a tensor without a storage', refused, legacyBytes({ value, keys: list(text('7')) }), /"a": its storage is missing/); // prettier-ignore
test('refuses another version', refused, legacyBytes({ value, version: int(7) }), /version 1001/);
test('refuses big-endian data', refused, legacyBytes({ value, machine: dict({ little_endian: code(0x89) }) }), /big-endian/); // prettier-ignore
test('refuses a view of a storage', refused, legacyBytes({ value: dict({ a: rebuilt(storage('7', 2, tuple(text('1'), int(0), int(1))), [1], [1]) }) }), /a view of one/); // prettier-ignore
test('refuses os.system', refused, legacyBytes({ value: call(global('os', 'system'), text('ls')) }), /refused global "os\.system"/); // prettier-ignore
test('refuses pickles cut short', refused, legacyBytes({ value }).slice(0, 60), /is cut short/);
