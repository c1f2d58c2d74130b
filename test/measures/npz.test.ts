/** @file The .npz reader on archives that NumPy 1.26.4 wrote, and on what is none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readPrior } from '../../src/measures/niqe-prior.ts';
import { readNpz } from '../../src/measures/npz.ts';
import { FormatError, PathError } from '../../src/tensor/errors.ts';

// prettier-ignore
const stored = [
  'UEsDBC0AAAAAAAAAIQAyplvG//////////8IABQAcm93cy5ucHkBABAAsAAAAAAAAACwAAAAAAAAAJNOVU1QWQEAdgB7',
  'J2Rlc2NyJzogJzxmOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAg',
  'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKmpmZmZmZuT8AAAAAAADwPwAAAAAA',
  'AABAAAAAAAAACEAAAAAAAAAQQAAAAAAAABRAUEsDBC0AAAAAAAAAIQDUlNlD//////////8LABQAY29sdW1ucy5ucHkB',
  'ABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcsICdmb3J0cmFuX29yZGVyJzogVHJ1ZSwg',
  'J3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg',
  'ICAgICAgICAKAAAAPwAAQEAAAIA/AACAQAAAAEAAAKBAUEsDBC0AAAAAAAAAIQBsLCER//////////8KABQAc2NhbGFy',
  'Lm5weQEAEACIAAAAAAAAAIgAAAAAAAAAk05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBG',
  'YWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg',
  'ICAgICAgICAgICAgIAoAAAAAAAAcQFBLAQItAy0AAAAAAAAAIQAyplvGsAAAALAAAAAIAAAAAAAAAAAAAACAAQAAAABy',
  'b3dzLm5weVBLAQItAy0AAAAAAAAAIQDUlNlDmAAAAJgAAAALAAAAAAAAAAAAAACAAeoAAABjb2x1bW5zLm5weVBLAQIt',
  'Ay0AAAAAAAAAIQBsLCERiAAAAIgAAAAKAAAAAAAAAAAAAACAAb8BAABzY2FsYXIubnB5UEsFBgAAAAADAAMApwAAAIMC',
  'AAAAAA==',
].join('');
// prettier-ignore
const deflated = [
  'UEsDBC0AAAAIAAAAIQAyplvG//////////8IABQAcm93cy5ucHkBABAAsAAAAAAAAABcAAAAAAAAAJvsF+obEMnIUMZQ',
  'rZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDrlkzQWCnPQMYfIDS',
  'DA4QigNKC0BpEQcAUEsDBC0AAAAIAAAAIQDUlNlD//////////8LABQAY29sdW1ucy5ucHkBABAAmAAAAAAAAABZAAAA',
  'AAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEg8pKk0FChdnJBakArkaRjoKxpo6CrUK',
  '5AMuBgYGewYGBwcGhgYg3QCkGYB4gQMAUEsDBC0AAAAIAAAAIQBsLCER//////////8KABQAc2NhbGFyLm5weQEAEACI',
  'AAAAAAAAAEcAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBak',
  'AvkamjoKtQoUAS4GMJBxAABQSwECLQMtAAAACAAAACEAMqZbxlwAAACwAAAACAAAAAAAAAAAAAAAgAEAAAAAcm93cy5u',
  'cHlQSwECLQMtAAAACAAAACEA1JTZQ1kAAACYAAAACwAAAAAAAAAAAAAAgAGWAAAAY29sdW1ucy5ucHlQSwECLQMtAAAA',
  'CAAAACEAbCwhEUcAAACIAAAACgAAAAAAAAAAAAAAgAEsAQAAc2NhbGFyLm5weVBLBQYAAAAAAwADAKcAAACvAQAAAAA=',
].join('');

const reads = test.macro({
  title: (_, kind: string) => `reads ${kind} arrays of either float and either order`,
  exec(t, _: string, base64: string) {
    const arrays = readNpz('x.npz', Buffer.from(base64, 'base64'));
    t.deepEqual([...arrays.keys()], ['rows', 'columns', 'scalar']);
    t.deepEqual(arrays.get('rows'), { shape: [2, 3], data: Float64Array.of(0.1, 1, 2, 3, 4, 5) });
    t.deepEqual(arrays.get('columns'), {
      shape: [2, 3],
      data: Float64Array.of(0.5, 1, 2, 3, 4, 5),
    });
    t.deepEqual(arrays.get('scalar'), { shape: [], data: Float64Array.of(7) });
  },
});
test(reads, 'stored', stored);
test(reads, 'compressed', deflated);

const refuses = test.macro({
  title: (_, what: string) => `refuses ${what}`,
  exec(t, _: string, bytes: Uint8Array, message: RegExp) {
    t.throws(() => readNpz('x.npz', bytes), { instanceOf: FormatError, message });
  },
});
test(refuses, 'a text', Buffer.from('hello'), /^x\.npz: expected a NumPy \.npz archive/);
test(refuses, 'nothing', new Uint8Array(0), /x\.npz/);
test(
  refuses,
  'an archive that lost its start',
  Buffer.from(stored, 'base64').subarray(40),
  /x\.npz/,
);
test(refuses, 'an archive cut off', Buffer.from(deflated, 'base64').subarray(0, 300), /x\.npz/);

test('an archive without the prior, and no file at all, are refused by name', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-'));
  try {
    const file = join(folder, 'other.npz');
    writeFileSync(file, Buffer.from(stored, 'base64'));
    t.throws(() => readPrior(file), {
      instanceOf: FormatError,
      message: /"mu_pris_param" of 1x36.*got "rows" of 2x3, "columns" of 2x3, "scalar" of 1/,
    });
    t.throws(() => readPrior(join(folder, 'none.npz')), {
      instanceOf: PathError,
      message: /ENOENT/,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
