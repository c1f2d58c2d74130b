import { chmodSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FormatError, PathError, UsageError } from '../../src/tensor/errors.ts';
import { type OutputOptions, planOutputs } from '../../src/pipeline/outputs.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { writeText } from '../helpers/picture-files.ts';

interface Request {
  /** Files that exist, below the test's folder; a name that ends in a slash is a folder. */
  readonly files: string;
  /** What is given on the command line. */
  readonly inputs: string;
  readonly out?: string;
  readonly scale?: number;
  readonly overwrite?: boolean;
}

/** What a scale and `overwrite` are to `planOutputs`. */
function named(scale: number, overwrite: boolean): OutputOptions {
  return { size: `x${scale}`, existing: overwrite ? 'overwrite' : 'refuse' };
}

/** Plan in a new folder; paths of the answer are relative to it. */
async function planIn(
  t: ExecutionContext,
  { files, inputs, out, scale = 4, overwrite = false }: Request,
): Promise<{ jobs: string[]; refused: string[]; errors: unknown[] }> {
  const root = temporaryFolder(t);
  for (const file of files.split(' ')) {
    if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
    else writeText(join(root, file));
  }
  const plan = await planOutputs(
    inputs.split(' ').map((path) => join(root, path)),
    { ...named(scale, overwrite), ...(out !== undefined && { out: join(root, out) }) },
  );
  const name = (path: string): string => relative(root, path).replaceAll('\\', '/');
  return {
    jobs: plan.jobs.map(({ input, output }) => `${name(input)} > ${name(output)}`),
    refused: plan.refused.map(({ input }) => name(input)),
    errors: plan.refused.map(({ error }) => error),
  };
}

const plans = test.macro(async (t, request: Request, jobs: string[], refused: string[] = []) => {
  const plan = await planIn(t, request);
  t.deepEqual(plan.jobs, jobs);
  t.deepEqual(plan.refused, refused);
});

test(
  'a result goes beside its input, named by the scale',
  plans,
  { files: 'a/p.png', inputs: 'a/p.png' },
  ['a/p.png > a/p-x4.png'],
);
test(
  'a fraction of a scale is named as it is',
  plans,
  { files: 'p.webp', inputs: 'p.webp', scale: 1.5 },
  ['p.webp > p-x1.5.webp'],
);
test("the input's ending is kept as it is written", plans, { files: 'P.JPG', inputs: 'P.JPG' }, [
  'P.JPG > P-x4.JPG',
]);
test('only the last dot begins the ending', plans, { files: 'a.b.png', inputs: 'a.b.png' }, [
  'a.b.png > a.b-x4.png',
]);
test(
  'one file goes to a file of any written format',
  plans,
  { files: 'p.png', inputs: 'p.png', out: 'q.jpg' },
  ['p.png > q.jpg'],
);
test(
  'a file without a known ending goes to a named file',
  plans,
  { files: 'scan', inputs: 'scan', out: 'q.png' },
  ['scan > q.png'],
);
test(
  'one file goes into a folder under its own name',
  plans,
  { files: 'a/p.png', inputs: 'a/p.png', out: 'new/deep' },
  ['a/p.png > new/deep/p.png'],
);
test(
  'an existing folder is a folder whatever its name',
  plans,
  { files: 'p.png q.png/', inputs: 'p.png', out: 'q.png' },
  ['p.png > q.png/p.png'],
);
test(
  'several files go into a folder',
  plans,
  { files: 'a/p.png b/q.tif', inputs: 'a/p.png b/q.tif', out: 'out' },
  ['a/p.png > out/p.png', 'b/q.tif > out/q.tif'],
);
test(
  'a folder is mirrored, in the order of its names',
  plans,
  { files: 'in/z.png in/b/c/p.webp in/b/a.jpeg', inputs: 'in', out: 'out' },
  ['in/b/a.jpeg > out/b/a.jpeg', 'in/b/c/p.webp > out/b/c/p.webp', 'in/z.png > out/z.png'],
);
test(
  'a folder with one picture still goes into a folder',
  plans,
  { files: 'in/p.png', inputs: 'in', out: 'q.png' },
  ['in/p.png > q.png/p.png'],
);
test(
  'other files and hidden entries of a folder are left out',
  plans,
  { files: 'in/p.png in/notes.txt in/.hidden.png in/.git/x.png in/p.bmp', inputs: 'in' },
  ['in/p.png > in/p-x4.png'],
);
test(
  'a result folder inside the input folder is not looked into',
  plans,
  { files: 'in/p.png in/out/old.png', inputs: 'in', out: 'in/out' },
  ['in/p.png > in/out/p.png'],
);
test(
  'results that lie in the folder are not upscaled again',
  plans,
  { files: 'in/p.png in/p-x4.png in/p-x4-x4.png', inputs: 'in', overwrite: true },
  ['in/p.png > in/p-x4.png'],
);
test(
  'a result that is named itself is upscaled',
  plans,
  { files: 'p-x4.png', inputs: 'p-x4.png' },
  ['p-x4.png > p-x4-x4.png'],
);
test(
  'an input given twice is done once',
  plans,
  { files: 'in/p.png', inputs: 'in in/p.png', out: 'out' },
  ['in/p.png > out/p.png'],
);
test(
  'a missing input is refused alone',
  plans,
  { files: 'p.png', inputs: 'no.png p.png' },
  ['p.png > p-x4.png'],
  ['no.png'],
);
test(
  'an existing result is refused alone',
  plans,
  { files: 'p.png p-x4.png q.png', inputs: 'p.png q.png' },
  ['q.png > q-x4.png'],
  ['p.png'],
);
test(
  'an existing result may be overwritten',
  plans,
  { files: 'p.png p-x4.png', inputs: 'p.png', overwrite: true },
  ['p.png > p-x4.png'],
);
test(
  'a folder where the result belongs is not overwritten',
  plans,
  { files: 'p.png p-x4.png/', inputs: 'p.png', overwrite: true },
  [],
  ['p.png'],
);
test(
  'a folder without pictures is refused',
  plans,
  { files: 'in/notes.txt', inputs: 'in' },
  [],
  ['in'],
);
test(
  'a file without a known ending is refused without a name for its result',
  plans,
  { files: 'scan', inputs: 'scan' },
  [],
  ['scan'],
);

const refuses = test.macro<[Request, string]>({
  async exec(t, request, message) {
    const { jobs, errors } = await planIn(t, request);
    t.deepEqual(jobs, []);
    t.is(errors.length, 1);
    t.true(errors[0] instanceof PathError || errors[0] instanceof FormatError);
    t.true((errors[0] as Error).message.includes(message), String(errors[0]));
  },
  title: (what = '') => `says ${what}`,
});

test(
  'that an input is missing',
  refuses,
  { files: 'x/', inputs: 'p.png' },
  'p.png: expected an existing file or folder',
);
test(
  'that --overwrite would replace a result',
  refuses,
  { files: 'p.png p-x4.png', inputs: 'p.png' },
  'Give --overwrite',
);
test(
  'which endings are known',
  refuses,
  { files: 'p.dat', inputs: 'p.dat' },
  'expected a name ending in .png, .jpg, .webp, .tif, .avif or .gif, got .dat',
);
test(
  'that a folder holds no picture',
  refuses,
  { files: 'in/', inputs: 'in' },
  'expected PNG, JPEG, WebP, TIFF, AVIF or GIF files in this folder',
);

const stops = test.macro<[Request, typeof UsageError | typeof PathError, RegExp]>({
  async exec(t, request, instanceOf, message) {
    await t.throwsAsync(planIn(t, request), { instanceOf, message });
  },
  title: (what = '') => `stops before the first picture: ${what}`,
});

test(
  'two inputs for one result',
  stops,
  { files: 'a/p.png b/p.png', inputs: 'a/p.png b/p.png', out: 'out' },
  UsageError,
  /one input for each result, got .*a.p\.png and .*b.p\.png/,
);
test(
  'two folders with one name inside',
  stops,
  { files: 'a/s/p.png b/s/p.png', inputs: 'a b', out: 'out' },
  UsageError,
  /one input for each result/,
);
test(
  'a result that is its input',
  stops,
  { files: 'in/p.png', inputs: 'in', out: 'in', overwrite: true },
  UsageError,
  /apart from the inputs/,
);
test(
  'a result in another input folder',
  stops,
  { files: 'a/p.png b/p.png', inputs: 'b a', out: 'b', overwrite: true },
  UsageError,
  /one input for each result|apart from the inputs/,
);
test(
  'a result that is another input',
  stops,
  { files: 'a/p.png out/p.png', inputs: 'a/p.png out/p.png', out: 'out', overwrite: true },
  UsageError,
  /one input for each result|apart from the inputs/,
);
test(
  'a format that is not written',
  stops,
  { files: 'p.png', inputs: 'p.png', out: 'q.bmp' },
  UsageError,
  /got \.bmp/,
);
test(
  'a file where the result folder should be',
  stops,
  { files: 'p.png out', inputs: 'p.png', out: 'out' },
  PathError,
  /out: expected a folder for the results, got a file/,
);
test(
  'a file on the way to the result folder',
  stops,
  { files: 'p.png out', inputs: 'p.png', out: 'out/deep/er' },
  PathError,
  /out: expected a folder for the results, got a file/,
);

test('an empty name for the results is wrong usage', async (t) => {
  const options = { out: '', ...named(4, false) };
  await t.throwsAsync(planOutputs(['p.png'], options), { instanceOf: UsageError });
});

test('a trailing slash asks for a folder', async (t) => {
  const root = temporaryFolder(t);
  const input = writeText(join(root, 'p.png'));
  const options = { out: `${join(root, 'q.png')}/`, ...named(4, false) };
  t.deepEqual((await planOutputs([input], options)).jobs, [
    { input, output: join(root, 'q.png', 'p.png') },
  ]);
});

test('a result is known as an input through links of both kinds', async (t) => {
  const root = temporaryFolder(t);
  const input = writeText(join(root, 'p.png'));
  linkSync(input, join(root, 'hard.png'));
  symlinkSync(input, join(root, 'soft.png'));
  for (const name of ['hard.png', 'soft.png']) {
    const options = { out: join(root, name), ...named(4, true) };
    await t.throwsAsync(planOutputs([input], options), { message: /apart from the inputs/ });
  }
});

test('links that lead in a circle end', async (t) => {
  const root = temporaryFolder(t);
  writeText(join(root, 'in', 'p.png'));
  symlinkSync(join(root, 'in'), join(root, 'in', 'again'));
  const { jobs } = await planOutputs([join(root, 'in')], { ...named(4, false) });
  t.is(jobs.length, 1);
});

const unprivileged = process.getuid?.() === 0 || process.platform === 'win32' ? test.skip : test;
unprivileged('a folder without permission is refused (not as root)', async (t) => {
  const root = temporaryFolder(t);
  const input = writeText(join(root, 'p.png'));
  mkdirSync(join(root, 'out'));
  chmodSync(join(root, 'out'), 0o555);
  const options = { out: join(root, 'out', 'new'), ...named(4, false) };
  await t.throwsAsync(planOutputs([input], options), {
    instanceOf: PathError,
    message: /may be written, got no permission/,
  });
});

/** Plan with options beside those of `planIn`. */
async function plansWith(
  t: ExecutionContext,
  files: string,
  inputs: string,
  options: Partial<OutputOptions>,
): Promise<string[]> {
  const root = temporaryFolder(t);
  for (const file of files.split(' ')) writeText(join(root, file));
  const { out, ...others } = options;
  const { jobs, skipped } = await planOutputs(
    inputs.split(' ').map((path) => (path === '-' ? path : join(root, path))),
    {
      size: 'x4',
      ...others,
      ...(out !== undefined && { out: out === '-' ? out : join(root, out) }),
    },
  );
  const name = (path: string): string => (path === '-' ? path : relative(root, path));
  const say = ({ input, output }: { input: string; output: string }): string =>
    `${name(input)} > ${name(output)}`;
  return [...jobs.map(say), ...skipped.map((job) => `skip ${say(job)}`)];
}

const withOptions = test.macro<[string, string, Partial<OutputOptions>, string[]]>(
  async (t, files, inputs, options, expected) => {
    t.deepEqual(await plansWith(t, files, inputs, options), expected);
  },
);
test(
  'a format gives its ending',
  withOptions,
  'a.png b.JPG c.tif',
  'a.png b.JPG c.tif',
  { format: 'jpeg' },
  ['a.png > a-x4.jpg', 'b.JPG > b-x4.JPG', 'c.tif > c-x4.jpg'],
);
test(
  'a template names results, in a mirrored folder too',
  withOptions,
  'in/s/a.png in/b.png',
  'in',
  { out: 'out', name: '{n}-{stem}_{size}_{model}', model: 'm' },
  ['in/b.png > out/1-b_x4_m.png', 'in/s/a.png > out/s/2-a_x4_m.png'],
);
test(
  'an existing result is skipped when told so',
  withOptions,
  'a.png a-x4.png b.png',
  'a.png b.png',
  { existing: 'skip' },
  ['b.png > b-x4.png', 'skip a.png > a-x4.png'],
);
test(
  'what an earlier run finished is skipped, the rest is not',
  withOptions,
  'a.png a-x4.png b.png',
  'a.png b.png',
  { isFinished: async ({ input }) => input.endsWith('a.png') },
  ['b.png > b-x4.png', 'skip a.png > a-x4.png'],
);
test(
  'a pattern names files',
  withOptions,
  'in/a.png in/b.png in/c.jpg in/.d.png in/s/e.png',
  'in/*.{png,webp}',
  {},
  ['in/a.png > in/a-x4.png', 'in/b.png > in/b-x4.png'],
);
test(
  'two stars enter folders',
  withOptions,
  'in/a.png in/s/e.png in/s/t/f.png',
  'in/**/[ef].png',
  {},
  ['in/s/e.png > in/s/e-x4.png', 'in/s/t/f.png > in/s/t/f-x4.png'],
);
test(
  'a file whose name looks like a pattern is that file',
  withOptions,
  'a[1].png a1.png',
  'a[1].png',
  {},
  ['a[1].png > a[1]-x4.png'],
);
test('standard input goes to standard output', withOptions, 'x', '-', {}, ['- > -']);
test('standard input goes to a file', withOptions, 'x', '-', { out: 'a.png' }, ['- > a.png']);
test('a file goes to standard output', withOptions, 'a.png', 'a.png', { out: '-' }, ['a.png > -']);

test('several results for standard output, a name of another format and bad templates are wrong usage', async (t) => {
  const refused: [string, Partial<OutputOptions>, RegExp][] = [
    ['a.png b.png', { out: '-' }, /one picture for standard output/],
    ['a.png', { out: 'x.png', format: 'jpeg' }, /format jpeg/],
    ['a.png', { name: '{stem}{what}' }, /\{stem\}, \{size\}/],
    ['a.png', { name: '../{stem}' }, /without folders/],
    ['a.png b.png', { name: 'same' }, /one input for each result/],
  ];
  for (const [inputs, options, message] of refused) {
    await t.throwsAsync(plansWith(t, 'a.png b.png', inputs, options), {
      instanceOf: UsageError,
      message,
    });
  }
});
