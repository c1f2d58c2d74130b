import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { osediffParams, paramsFrom, readParams } from '../../src/degrade/params.ts';
import { ConfigError, FormatError, PathError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';

test('what a file leaves out keeps the value of OSEDiff', (t) => {
  t.deepEqual(paramsFrom({}), osediffParams);
  t.deepEqual(paramsFrom({ scale: 2, second: { blurProb: 0.3, sigma: [0.1, 9] } }), {
    ...osediffParams,
    scale: 2,
    second: { ...osediffParams.second, blurProb: 0.3, sigma: [0.1, 9] },
  });
  t.deepEqual(paramsFrom(JSON.parse(JSON.stringify(osediffParams))), osediffParams);
});

test('weights that are left out are 0', (t) => {
  const { first } = paramsFrom({ first: { kinds: { aniso: 2 } } });
  t.deepEqual(Object.values(first.kinds), [0, 2, 0, 0, 0, 0]);
});

const refuses = test.macro({
  title: (_, json: string) => `refuses ${json}`,
  exec(t, json: string, message: string) {
    t.throws(() => paramsFrom(JSON.parse(json), 'p.json'), { instanceOf: ConfigError, message });
  },
});

test(
  refuses,
  '{"sigma": [1, 2]}',
  'p.json: expected only scale, kernelSizes, sharpenTruth, first, second, final, got "sigma".',
);
test(
  refuses,
  '[]',
  'p.json: expected an object with any of scale, kernelSizes, sharpenTruth, first, second, final, got [].',
);
test(refuses, '{"scale": 0}', 'p.json: scale: expected a whole number of at least 1, got 0.');
test(refuses, '{"scale": 2.5}', 'p.json: scale: expected a whole number of at least 1, got 2.5.');
test(refuses, '{"sharpenTruth": 1}', 'p.json: sharpenTruth: expected true or false, got 1.');
test(
  refuses,
  '{"kernelSizes": [7, 8]}',
  'p.json: kernelSizes: expected a list of odd numbers from 1 to 99, got [7,8].',
);
test(
  refuses,
  '{"kernelSizes": []}',
  'p.json: kernelSizes: expected a list of odd numbers from 1 to 99, got [].',
);
test(
  refuses,
  '{"first": {"blurProb": 1.2}}',
  'p.json: first: blurProb: expected a number from 0 to 1, got 1.2.',
);
test(
  refuses,
  '{"first": {"sigma": [3, 1]}}',
  'p.json: first: sigma: expected two numbers, the lower first, above 0, got [3,1].',
);
test(
  refuses,
  '{"first": {"sigma": [0, 1]}}',
  'p.json: first: sigma: expected two numbers, the lower first, above 0, got [0,1].',
);
test(
  refuses,
  '{"second": {"noiseSigma": "1"}}',
  'p.json: second: noiseSigma: expected two numbers, the lower first, from 0, got "1".',
);
test(
  refuses,
  '{"first": {"jpegQuality": [30, 100]}}',
  'p.json: first: jpegQuality: expected two numbers, the lower first, above 0 and below 100, got [30,100].',
);
test(
  refuses,
  '{"first": {"resizeRange": [1.1, 2]}}',
  'p.json: first: resizeRange: expected two numbers, the lower first, above 0, with 1 between them, got [1.1,2].',
);
test(
  refuses,
  '{"first": {"kinds": {"isotropic": 1}}}',
  'p.json: first: kinds: expected only iso, aniso, generalized_iso, generalized_aniso, plateau_iso, plateau_aniso, got "isotropic".',
);
test(
  refuses,
  '{"first": {"resizeProb": {"up": -1}}}',
  'p.json: first: resizeProb: up: expected a number of at least 0, got -1.',
);
test(
  refuses,
  '{"first": {"resizeProb": {}}}',
  'p.json: first: resizeProb: expected a number above 0, got {}.',
);

test('reads a file, and says which one is at fault', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'p.json');
  await t.throwsAsync(readParams(file), { instanceOf: PathError, message: /p\.json: expected/ });
  writeFileSync(file, 'scale: 4');
  await t.throwsAsync(readParams(file), {
    instanceOf: FormatError,
    message: `${file}: expected JSON, got text that is not.`,
  });
  writeFileSync(file, '{"final": {"sincProb": 0}}');
  t.is((await readParams(file)).final.sincProb, 0);
});
