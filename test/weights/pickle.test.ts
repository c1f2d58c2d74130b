import test from 'ava';
import { FormatError } from '../../src/tensor/errors.ts';
import { readPickle } from '../../src/weights/pickle.ts';
import {
  call,
  code,
  dict,
  global,
  int,
  list,
  pickle,
  rebuilt,
  storage,
  text,
  tuple,
} from '../helpers/checkpoints.ts';

const reads = test.macro({
  exec(t, value: Buffer, expected: unknown) {
    t.deepEqual(readPickle(pickle(value, 4)), expected as ReturnType<typeof readPickle>);
  },
  title: (what) => `reads ${what}`,
});

test('None', reads, code('N'), null);
test('booleans', reads, tuple(code(0x88), code(0x89)), [true, false]);
test(
  'integers of 1, 2 and 4 bytes',
  reads,
  tuple(code('K', 255), code('M', 1, 2), int(-7)),
  [255, 513, -7],
);
test('a long integer', reads, code(0x8a, 2, 0x00, 0xff), -256);
test('an empty long integer', reads, code(0x8a, 0), 0);
test('an integer beyond doubles', reads, code(0x8a, 8, 1, 0, 0, 0, 0, 0, 0, 0x40), 2n ** 62n + 1n);
test('a float', reads, code('G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), 1.5);
test('text', reads, tuple(text('é'), code(0x8c, 1, 'a'), code('U', 1, 'b')), ['é', 'a', 'b']);
test('bytes', reads, code('C', 2, 1, 255), new Uint8Array([1, 255]));
test('a list', reads, code(']', 'K', 1, 'a', '(', 'K', 2, 'K', 3, 'e'), [1, 2, 3]);
test('a dict', reads, dict({ a: int(1), __proto__x: int(2) }), new Map([['a', 1], ['__proto__x', 2]])); // prettier-ignore
test('the key __proto__', reads, code('}', text('__proto__'), 'K', 1, 's'), new Map([['__proto__', 1]])); // prettier-ignore
test('a set', reads, code(0x8f, '(', 'K', 1, 'K', 2, 0x90), new Set([1, 2]));
test('a set of protocol 2', reads, call(global('__builtin__', 'set'), list(int(3))), new Set([3]));
test(
  'bytes of protocol 2',
  reads,
  call(global('_codecs', 'encode'), text('\u0001ÿ'), text('latin1')),
  new Uint8Array([1, 255]),
);
test('an OrderedDict', reads, call(global('collections', 'OrderedDict')), new Map());
test(
  'an OrderedDict with attributes, which it leaves out',
  reads,
  code(call(global('collections', 'OrderedDict')), '(', text('k'), int(1), 'u', dict({ _metadata: int(1) }), 'b'), // prettier-ignore
  new Map([['k', 1]]),
);
test('what the memo holds', reads, tuple(code(text('x'), 'q', 0), code('h', 0), code('j', 0, 0, 0, 0)), ['x', 'x', 'x']); // prettier-ignore
test('what protocol 4 memoizes', reads, tuple(code(0x8c, 1, 'x', 0x94), code('h', 0)), ['x', 'x']);

const stored = {
  kind: 'storage',
  dtype: 'float16',
  key: '12',
  elements: 6,
  device: 'cuda:0',
} as const;
test('a tensor', reads, rebuilt(storage('HalfStorage', '12', 6, 'cuda:0'), [2, 3], [1, 2]), {
  kind: 'tensor',
  storage: stored,
  offset: 0,
  shape: [2, 3],
  strides: [1, 2],
});
test(
  'a parameter as its tensor',
  reads,
  call(
    global('torch._utils', '_rebuild_parameter'),
    rebuilt(storage('HalfStorage', '12', 6, 'cuda:0'), [], [], 5),
    code(0x88),
    call(global('collections', 'OrderedDict')),
  ),
  { kind: 'tensor', storage: stored, offset: 5, shape: [], strides: [] },
);

const refuses = test.macro({
  exec(t, bytes: Uint8Array, message: string) {
    const error = t.throws(() => readPickle(bytes), { instanceOf: FormatError });
    t.is(error.message, `pickle: ${message}`);
  },
  title: (what) => `refuses ${what}`,
});

const refused = (name: string, position: number): string =>
  `refused global "${name}" at byte ${position}. Only tensor globals are read.`;
const shell = (module: string, name: string): Buffer => call(global(module, name), text('id'));

test('os.system', refuses, pickle(shell('os', 'system')), refused('os.system', 2));
test('posix.system', refuses, pickle(shell('posix', 'system')), refused('posix.system', 2));
test('nt.system', refuses, pickle(shell('nt', 'system')), refused('nt.system', 2));
test('builtins.eval', refuses, pickle(shell('builtins', 'eval')), refused('builtins.eval', 2));
test(
  'os.system behind 800 bytes of names',
  refuses,
  pickle(list(text('x'.repeat(800)), shell('os', 'system'))),
  refused('os.system', 2 + 2 + 805),
);
test(
  'os.system even where it is never called',
  refuses,
  pickle(dict({ a: global('os', 'system') })),
  refused('os.system', 2 + 2 + 6),
);
test(
  'builtins.eval as protocol 4 names it',
  refuses,
  pickle(code(0x8c, 8, 'builtins', 0x8c, 4, 'eval', 0x93), 4),
  refused('builtins.eval', 2 + 10 + 6),
);
test(
  'posix.system as protocol 0 names it',
  refuses,
  code('cposix\nsystem\n'),
  refused('posix.system', 0),
);
test(
  'subprocess.Popen by INST',
  refuses,
  pickle(code('(isubprocess\nPopen\n')),
  refused('subprocess.Popen', 3),
);
test(
  'a global with a dotted name behind an allowed module',
  refuses,
  pickle(global('torch._utils', '_rebuild_tensor_v2.__globals__')),
  refused('torch._utils._rebuild_tensor_v2.__globals__', 2),
);
test(
  'a name of many lines',
  refuses,
  pickle(code(0x8c, 3, 'a\nb', 0x8c, 1, 'c', 0x93), 4),
  refused('a\\nb.c', 10),
);
test('numpy arrays', refuses, pickle(global('numpy.core.multiarray', '_reconstruct')), refused('numpy.core.multiarray._reconstruct', 2)); // prettier-ignore

test(
  'protocol 6',
  refuses,
  pickle(code('N'), 6),
  'expected pickle protocol 2 to 5, got 6 at byte 0.',
);
test('an extension code', refuses, pickle(code(0x82, 1)), 'unsupported opcode "\x82" at byte 2.');
test('NEWOBJ', refuses, pickle(code(')', 0x81)), 'unsupported opcode "\x81" at byte 3.');
test('an end without a value', refuses, pickle(code()), 'the stack is empty at byte 2.');
test('a memo that was never filled', refuses, pickle(code('h', 7)), 'the memo has no 7 at byte 2.');
test('a tuple without a mark', refuses, pickle(code('t')), 'there is no mark at byte 2.');
test('a text longer than the file', refuses, pickle(code('X', 255, 255, 255, 255)), 'is cut short at byte 2.'); // prettier-ignore
test(
  'a file that ends too soon',
  refuses,
  pickle(text('abc')).slice(0, -1),
  'is cut short at byte 10.',
);
test('an item put into a tuple', refuses, pickle(code(')', 'N', 'a')), 'expected a list to append to, got tuple at byte 4.'); // prettier-ignore
test('an integer of 65 bytes', refuses, pickle(code(0x8a, 65, 'x'.repeat(65))), 'expected an integer of at most 64 bytes at byte 2.'); // prettier-ignore
test('a call of a storage type', refuses, pickle(call(global('torch', 'FloatStorage'))), 'expected a function to call, got torch.FloatStorage at byte 24.'); // prettier-ignore
test('a call of text', refuses, pickle(call(text('os.system'))), 'expected a global and its arguments at byte 18.'); // prettier-ignore
test('an attribute of a list', refuses, pickle(code(']', '}', 'b')), 'expected a dict to build, got list at byte 4.'); // prettier-ignore
test('a persistent id of another kind', refuses, pickle(code(text('x'), 'Q')), 'expected the persistent id of a typed storage at byte 8.'); // prettier-ignore

const refusesTensor = test.macro({
  exec(t, shape: readonly number[], strides: readonly number[], offset: number, message: RegExp) {
    const bytes = pickle(rebuilt(storage('FloatStorage', '0', 6), shape, strides, offset));
    const error = t.throws(() => readPickle(bytes), { instanceOf: FormatError });
    t.regex(error.message, message);
  },
  title: (what) => `refuses a tensor ${what}`,
});

test('past the end of its storage', refusesTensor, [2, 3], [3, 1], 1, /\[2, 3\] within .* 6 elem/);
test('that strides past it', refusesTensor, [2, 2], [4, 2], 1, /within a storage of 6/);
test('of more elements than are stored', refusesTensor, [2 ** 30], [0], 0, /within a storage/);
test('with a negative stride', refusesTensor, [2], [-1], 3, /whole numbers/);
test('with strides of another rank', refusesTensor, [2, 3], [1], 0, /whole numbers/);
test('with a negative size', refusesTensor, [-1], [1], 0, /whole numbers/);

test('deep nesting takes no stack', (t) => {
  const depth = 300_000;
  const value = readPickle(pickle(code(')', Buffer.alloc(depth, 0x85))));
  t.true(Array.isArray(value));
});

test('a file of nothing but containers is given up', (t) => {
  const bytes = Buffer.alloc(3_000_000, '}');
  const error = t.throws(() => readPickle(bytes), { instanceOf: FormatError });
  t.regex(error.message, /at most 2000000 operations/);
});
