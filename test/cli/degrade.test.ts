import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { readPicture } from '../../src/image/codec.ts';
import { runCli, type Outcome } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

const file = fileURLToPath(new URL('../helpers/degrade-child.ts', import.meta.url));

function degrade(...args: string[]): Promise<Outcome> {
  return runCli(['degrade', ...args], { file });
}

test('makes a pair for each picture and prints the degraded ones', async (t) => {
  const folder = temporaryFolder(t);
  await drawPicture(join(folder, 'in', 'a.png'), 66, 51);
  await drawPicture(join(folder, 'in', 'sub', 'b.jpg'), 80, 64);
  const out = join(folder, 'out');
  const { code, stdout, stderr } = await degrade(join(folder, 'in'), '--out', out, '--seed', '7');
  t.deepEqual([code, stderr], [0, '']);
  t.deepEqual(stdout.trim().split('\n'), [
    join(out, 'lr', 'a.png'),
    join(out, 'lr', 'sub', 'b.png'),
  ]);
  const hr = await readPicture(join(out, 'hr', 'a.png'));
  const lr = await readPicture(join(out, 'lr', 'a.png'));
  t.deepEqual([hr.width, hr.height, lr.width, lr.height], [64, 48, 16, 12]);
  const source = await readPicture(join(folder, 'in', 'a.png'));
  t.deepEqual(hr.data.subarray(0, 64 * 3), source.data.subarray(0, 64 * 3));
});

test('the same seed gives the same bytes in another process, whatever else is degraded', async (t) => {
  const folder = temporaryFolder(t);
  const [a, b] = [
    await drawPicture(join(folder, 'a.png'), 64, 64),
    await drawPicture(join(folder, 'b.png'), 64, 64),
  ];
  await degrade(a, b, '--out', join(folder, '1'), '--seed', '7');
  await degrade(b, '--out', join(folder, '2'), '--seed', '7');
  await degrade(b, '--out', join(folder, '3'), '--seed', '8');
  const lr = (run: string, name: string) => readFileSync(join(folder, run, 'lr', name));
  t.deepEqual(lr('2', 'b.png'), lr('1', 'b.png'));
  t.notDeepEqual(lr('3', 'b.png'), lr('1', 'b.png'));
  t.notDeepEqual(lr('1', 'a.png'), lr('1', 'b.png')); // the pictures are the same, their names not
});

test('takes parameters, the scale and the kind of JPEG, and tells every choice as JSON', async (t) => {
  const folder = temporaryFolder(t);
  const a = await drawPicture(join(folder, 'a.png'), 40, 40);
  const params = join(folder, 'p.json');
  writeFileSync(params, '{"first": {"noiseProb": 0}, "scale": 4}');
  const rest = ['--params', params, '--scale', '2', '--jpeg', 'real', '--json'];
  const { code, stdout } = await degrade(a, '--out', join(folder, 'out'), ...rest);
  t.is(code, 0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, never>);
  t.deepEqual(
    lines.map(({ event }) => event),
    ['done', 'end'],
  );
  t.like(lines[0], { input: a, plan: { scale: 2, first: { noise: null } } });
  const lr = await readPicture(join(folder, 'out', 'lr', 'a.png'));
  t.deepEqual([lr.width, lr.height], [20, 20]);
});

test('a picture that fails does not stop the others', async (t) => {
  const folder = temporaryFolder(t);
  const broken = writeText(join(folder, 'broken.png'));
  const tiny = await drawPicture(join(folder, 'tiny.png'), 3, 3);
  const good = await drawPicture(join(folder, 'good.png'), 64, 64);
  const out = join(folder, 'out');
  const { code, stdout, stderr } = await degrade(broken, tiny, good, '--out', out);
  t.is(code, 1);
  t.is(stdout, `${join(out, 'lr', 'good.png')}\n`);
  t.regex(stderr, /osediff: .*broken\.png: expected/);
  t.regex(stderr, /osediff: .*tiny\.png: degrade: expected at least 4x4 pixels, got 3x3\./);
});

test('replaces nothing without --overwrite, and writes no half of a pair', async (t) => {
  const folder = temporaryFolder(t);
  const a = await drawPicture(join(folder, 'a.png'), 64, 64);
  const out = join(folder, 'out');
  const taken = writeText(join(out, 'lr', 'a.png'), 'mine');
  const refused = await degrade(a, '--out', out);
  t.is(refused.code, 1);
  t.regex(
    refused.stderr,
    /lr.a\.png: expected nothing there yet, got a file or folder\. Give --overwrite/,
  );
  t.false(existsSync(join(out, 'hr', 'a.png')));
  t.is(readFileSync(taken, 'utf8'), 'mine');
  t.is((await degrade(a, '--out', out, '--overwrite')).code, 0);
});

test('wrong usage is one line and exit code 2', async (t) => {
  const folder = temporaryFolder(t);
  const twice = [
    await drawPicture(join(folder, 'a.png')),
    await drawPicture(join(folder, 'a.jpg')),
  ];
  const out = ['--out', join(folder, 'out')];
  for (const [args, message] of [
    [[twice[0]!], /required option '--out <folder>'/],
    [[...twice, ...out], /a\.png: expected one input for each pair, got/],
    [[twice[0]!, ...out, '--jpeg', 'best'], /Allowed choices are diff, real/],
    [[twice[0]!, ...out, '--seed', '-1'], /Expected a whole number of at least 0/],
  ] as const) {
    const { code, stderr } = await degrade(...args);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
    t.is(stderr.trim().split('\n').length, 1);
  }
});
