/** @file TorchScript archives: their modules' tensors are read, their code is not. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FormatError } from '../../src/tensor/errors.ts';
import { openWeights, type WeightSource } from '../../src/weights/source.ts';
import {
  type Code,
  call,
  code,
  dict,
  floats,
  global,
  int,
  pickle,
  rebuilt,
  storage,
  text,
  zipBytes,
} from '../helpers/checkpoints.ts';
import { temporaryFolder } from '../helpers/folder.ts';

/** An object of a class of the archive: NEWOBJ, then its attributes by BUILD. */
function module(name: string, attributes: Code): Code {
  return code(global('__torch__', name), ')\x81', attributes, 'b');
}

async function open(t: ExecutionContext, value: Code, script = true): Promise<WeightSource> {
  const path = join(temporaryFolder(t), 'x.pt');
  const constants = script ? [['m/constants.pkl', pickle(code(')'))] as const] : [];
  const source = [['m/code/__torch__/x.py', Buffer.from('import os')] as const];
  const data = [['m/data.pkl', pickle(value)] as const, ['m/data/0', floats(1, 2, 3)] as const];
  await writeFile(path, zipBytes([...data, ...source, ...constants]));
  const opened = await openWeights(path);
  t.teardown(() => opened.close());
  return opened;
}

const three = rebuilt(storage('FloatStorage', '0', 3), [3], [1]);

test('tensors of modules within modules have dotted names; other attributes are left out', async (t) => {
  const inner = module('Linear', dict({ weight: three, training: code(0x89), bias: code('N') }));
  const source = await open(t, module('Net', dict({ scale: three, size: int(7), '0': inner })));
  t.deepEqual([...source.entries.keys()].sort(), ['0.weight', 'scale']);
  t.deepEqual([...(await source.read('0.weight')).data].map(Number), [1, 2, 3]);
});

test('one module may be there under two names', async (t) => {
  const shared = code(module('Norm', dict({ weight: three })), 'q\x05');
  const source = await open(t, module('Net', dict({ a: shared, b: code('h\x05') })));
  t.deepEqual([...source.entries.keys()].sort(), ['a.weight', 'b.weight']);
});

test('a module inside itself is refused', async (t) => {
  const self = code(global('__torch__', 'Net'), ')\x81q\x05', dict({ again: code('h\x05') }), 'b');
  await t.throwsAsync(open(t, self), { instanceOf: FormatError, message: /tree of modules/ });
});

const refused = test.macro(async (t, value: Code, script: boolean, message: RegExp) => {
  await t.throwsAsync(open(t, value, script), { instanceOf: FormatError, message });
});
test(
  'classes of a script are refused in other checkpoints',
  refused,
  module('Net', dict({})),
  false,
  /refused global "__torch__\.Net"/,
);
test(
  'other globals are refused in scripts too',
  refused,
  module('Net', dict({ x: call(global('os', 'system'), text('ls')) })),
  true,
  /refused global "os\.system"/,
);
test(
  'only classes of the script become objects',
  refused,
  code(global('collections', 'OrderedDict'), ')\x81'),
  true,
  /expected a class of the script, got collections\.OrderedDict/,
);
test(
  'a class of the script is not called',
  refused,
  call(global('__torch__', 'Net')),
  true,
  /function to call/,
);
test(
  'attributes must be a dict',
  refused,
  module('Net', int(3)),
  true,
  /expected attributes, got int/,
);
