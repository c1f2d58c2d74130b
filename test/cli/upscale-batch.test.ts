import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { runCli, startCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

const hash = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex');

test.serial(
  'a batch of 20 that is killed goes on where it stopped, by the same command',
  async (t) => {
    const cwd = temporaryFolder(t);
    const names = Array.from({ length: 20 }, (_, i) => `p${String(i).padStart(2, '0')}.png`);
    for (const [i, name] of names.entries()) await drawPicture(join(cwd, 'in', name), 20 + i, 16);
    const args = ['upscale', 'in', '-o', 'out', '--json'];
    const env = { OSEDIFF_HOME: temporaryFolder(t) };
    const { process: child, ended } = startCli(args, { cwd, env, standIn: 'steps' });
    let seen = 0;
    child.stdout!.on('data', (text: string) => {
      seen += text.split('"event":"done"').length - 1;
      if (seen >= 7) child.kill('SIGKILL');
    });
    t.is((await ended).signal, 'SIGKILL');
    const first = readdirSync(join(cwd, 'out')).filter(
      (name) => name.endsWith('.png') && !name.startsWith('.'),
    );
    t.true(first.length >= 7 && first.length < 20, String(first.length));
    const before = new Map(first.map((name) => [name, statSync(join(cwd, 'out', name)).mtimeMs]));
    writeFileSync(
      join(cwd, 'out', `.osediff-${'0'.repeat(8)}-1-${'0'.repeat(12)}.part`),
      'of another machine',
    );

    const second = await runCli(args, { cwd, env });
    t.is(second.code, 0, second.stderr);
    const events = second.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; output?: string });
    const done = events.filter(({ event }) => event === 'done').map(({ output }) => output!);
    t.is(done.length, 20 - first.length, 'none is done twice');
    t.is(events.filter(({ event }) => event === 'skipped').length, first.length);
    t.deepEqual(
      readdirSync(join(cwd, 'out'))
        .filter((name) => !name.startsWith(`.osediff-${'0'.repeat(8)}`))
        .sort(),
      names,
      'all results, and no temporary file',
    );
    for (const [name, time] of before) t.is(statSync(join(cwd, 'out', name)).mtimeMs, time);

    const whole = await runCli(['upscale', 'in', '-o', 'whole'], { cwd, env });
    t.is(whole.code, 0);
    for (const name of names) t.is(hash(join(cwd, 'out', name)), hash(join(cwd, 'whole', name)));
    t.deepEqual(readdirSync(join(env.OSEDIFF_HOME, 'batches')), [], 'nothing is remembered');
    const third = await runCli(args, { cwd, env });
    t.is(third.code, 1, 'a batch that is complete is another one: its results are there');
  },
);

test.serial('--skip-existing does the rest, --dry-run nothing', async (t) => {
  const cwd = temporaryFolder(t);
  for (const name of ['a.png', 'b.png']) await drawPicture(join(cwd, name));
  writeText(join(cwd, 'a-x4.png'), 'there');
  const dry = await runCli(['upscale', 'a.png', 'b.png', '--skip-existing', '--dry-run'], { cwd });
  t.is(dry.code, 0, dry.stderr);
  t.regex(dry.stdout, /^b\.png -> b-x4\.png: 8x6 to 32x24, about \d\.\d GB, time unknown/);
  t.deepEqual(readdirSync(cwd).sort(), ['a-x4.png', 'a.png', 'b.png']);
  const { code, stdout, stderr } = await runCli(['upscale', 'a.png', 'b.png', '--skip-existing'], {
    cwd,
  });
  t.deepEqual([code, stdout], [0, 'b-x4.png\n']);
  t.regex(stderr, /a-x4\.png: is there already/);
  t.is(readFileSync(join(cwd, 'a-x4.png'), 'utf8'), 'there');
});

test.serial('pictures go through standard input and output', async (t) => {
  const cwd = temporaryFolder(t);
  const input = readFileSync(await drawPicture(join(cwd, 'a.png')));
  const { process: child, ended } = startCli(
    ['upscale', '-', '--width', '100', '--format', 'webp'],
    { cwd, stdin: 'pipe', binary: true },
  );
  child.stdin!.end(input);
  const { code, stdout } = await ended;
  t.is(code, 0);
  const { format, width, height } = await sharp(Buffer.from(stdout, 'latin1')).metadata();
  t.deepEqual([format, width, height], ['webp', 100, 75]);
  t.deepEqual(readdirSync(cwd), ['a.png']);
});

test.serial('patterns are expanded where the shell does not', async (t) => {
  const cwd = temporaryFolder(t);
  for (const name of ['a.png', 'b.png', 'c.jpg']) await drawPicture(join(cwd, name));
  const { stdout } = await runCli(['upscale', '*.png', '-o', 'out'], { cwd });
  t.is(stdout, 'out/a.png\nout/b.png\n');
});

test.serial('the size can be given in one way only', async (t) => {
  const { code, stderr } = await runCli(['upscale', 'a.png', '--scale', '2', '--width', '9'], {
    cwd: temporaryFolder(t),
  });
  t.is(code, 2);
  t.regex(stderr, /--scale: expected the size in one way, got --scale and --width/);
});
