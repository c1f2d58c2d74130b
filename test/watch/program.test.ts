import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { drawPicture } from '../helpers/picture-files.ts';
import {
  filesBelow,
  inputsBelow,
  startWatchProgram,
  until,
  untilResults,
  watchFolders,
} from '../helpers/watch.ts';

/** The program, and the lines of its log. */
function run(
  t: ExecutionContext,
  args: readonly string[],
  env?: Record<string, string>,
): { process: ChildProcess; lines: () => Record<string, unknown>[]; stderr: () => string } {
  const program = startWatchProgram(args, env);
  t.teardown(() => program.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  program.stdout!.on('data', (part) => (text.stdout += String(part)));
  program.stderr!.on('data', (part) => (text.stderr += String(part)));
  const lines = (): Record<string, unknown>[] =>
    text.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { process: program, lines, stderr: () => text.stderr };
}

const posix = process.platform === 'win32' ? test.skip : test.serial;
posix('SIGTERM during a picture puts it back into the queue and ends within 5 s', async (t) => {
  const { in: input, out, root } = watchFolders(t);
  await drawPicture(join(input, 'a.png'));
  const args = [input, '--out', out, '--rest', '0.1', '--scale', '2'];
  const slow = run(t, [...args, '--log-level', 'debug'], { STAND_IN_STEP: '20000' });
  const work = join(input, '.osediff', 'work');
  await until(t, 'it works', () => existsSync(work) && filesBelow(work).length === 1);
  await until(t, 'the part folder', () => filesBelow(out).length >= 0 && existsSync(out));
  const start = performance.now();
  slow.process.kill('SIGTERM');
  const [code] = (await once(slow.process, 'exit')) as [number | null];
  t.is(code, 0, slow.stderr());
  t.true(performance.now() - start < 5000);
  t.deepEqual(filesBelow(work), []);
  t.is(filesBelow(join(input, '.osediff', 'queue')).length, 1);
  t.deepEqual(filesBelow(out), []);
  t.deepEqual(inputsBelow(input), ['a.png']);
  t.false(existsSync(join(input, '.osediff', 'lock')));
  run(t, args);
  await untilResults(t, out, ['a.png']);
  t.true(existsSync(root));
});

test.serial(
  'a configuration gives each folder its rule, and the command line its defaults',
  async (t) => {
    const { root } = watchFolders(t);
    for (const name of ['one', 'two']) await drawPicture(join(root, name, 'a.png'), 8, 6);
    writeFileSync(
      join(root, 'watch.toml'),
      `rest = 0.1
log-level = "debug"
[[rule]]
in = "one"
out = "results/one"
scale = 3
[[rule]]
in = "two"
out = "results/two"
format = "webp"
done = "finished"
`,
    );
    const program = run(t, ['--config', join(root, 'watch.toml'), '--scale', '2']);
    await untilResults(t, join(root, 'results', 'one'), ['a.png']);
    await untilResults(t, join(root, 'results', 'two'), ['a.webp']);
    const sizes = (): unknown[] =>
      program
        .lines()
        .filter(({ msg }) => msg === 'done')
        .map(({ width }) => width);
    await until(t, 'the sizes', () => sizes().map(String).toSorted().join() === '16,24');
    await until(
      t,
      'the original is moved',
      () => filesBelow(join(root, 'finished')).join() === 'a.png',
    );
  },
);

/** The program ends at once with one line that matches. */
const refuses = test.macro<[string, string | undefined, RegExp, number?]>({
  async exec(t, line, config, expected, code = 2) {
    const { root } = watchFolders(t);
    if (config !== undefined) writeFileSync(join(root, 'c.toml'), config);
    const args = line.replaceAll('ROOT', root).split(' ').filter(Boolean);
    const { process: program, stderr } = run(t, args);
    const [got] = (await once(program, 'close')) as [number | null];
    t.is(got, code, stderr());
    t.regex(stderr(), expected);
    t.is(stderr().indexOf('\n'), stderr().length - 1, 'one line');
  },
  title: (title, line) => title ?? `refuses "${line}"`,
});
test.serial(refuses, '', undefined, /expected a folder to watch/);
test.serial(refuses, 'ROOT/in', undefined, /Name it with --out/);
test.serial(
  refuses,
  'ROOT/in --out ROOT/out --done ROOT/d --delete',
  undefined,
  /cannot be used with/,
);
test.serial(refuses, 'ROOT/in --out ROOT/in/out', undefined, /apart from/);
test.serial(refuses, 'ROOT/in --out ROOT/out --http 99999', undefined, /PORT or HOST:PORT/);
test.serial(refuses, 'ROOT/in --out ROOT/out --seed 3', undefined, /--sample/);
test.serial(refuses, 'ROOT/none --out ROOT/out', undefined, /folder to watch, got nothing/, 1);
test.serial(
  refuses,
  '--config ROOT/none.toml',
  undefined,
  /none\.toml: expected an existing file/,
  1,
);
test.serial(
  'refuses TOML that is none',
  refuses,
  '--config ROOT/c.toml',
  'a = = 1',
  /expected TOML/,
  1,
);
test.serial(
  'refuses an unknown key',
  refuses,
  '--config ROOT/c.toml',
  'colour = "none"',
  /c\.toml: unknown option '--colour/,
);
test.serial(
  'refuses a bad value',
  refuses,
  '--config ROOT/c.toml',
  'scale = "huge"',
  /c\.toml: .*scale.*number from/,
);
test.serial(
  'refuses a table for an option',
  refuses,
  '--config ROOT/c.toml',
  '[scale]\nx = 1',
  /text, a number or true/,
);

posix('systemd is told when it is ready, alive and stopping', async (t) => {
  const { in: input, out, root } = watchFolders(t);
  const bin = join(root, 'bin');
  const told = join(root, 'told');
  mkdirSync(bin);
  // Node has no sockets of systemd's kind, and neither has this test: the program it calls is looked at.
  writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${told}\n`);
  chmodSync(join(bin, 'systemd-notify'), 0o755);
  const { process: program } = run(t, [input, '--out', out], {
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    NOTIFY_SOCKET: join(root, 'socket'),
    WATCHDOG_USEC: '600000',
  });
  const lines = (): string[] =>
    existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : [];
  await until(t, 'signs of life', () => lines().includes('WATCHDOG=1'));
  t.true(lines().includes('--ready --status=watching'));
  program.kill('SIGTERM');
  await once(program, 'exit');
  await until(t, 'the end', () => lines().includes('STOPPING=1'));
});

const packaging = fileURLToPath(new URL('../../packaging/', import.meta.url));
const verifies = spawnSync('systemd-analyze', ['--version']).status === 0 ? test.serial : test.skip;
verifies('systemd-analyze verifies the unit (where there is systemd-analyze)', (t) => {
  const unit = join(packaging, 'systemd', 'osediff-watch.service');
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], {
    encoding: 'utf8',
  });
  t.is(status, 0, stdout + stderr);
  t.is(stdout + stderr, '');
});

const hasPython = spawnSync('python3', ['--version']).status === 0 ? test.serial : test.skip;
hasPython('the launchd and Windows service files are well-formed (where there is Python)', (t) => {
  const parse =
    'import sys, plistlib, xml.dom.minidom as m\n' +
    'plistlib.load(open(sys.argv[1], "rb"))\nm.parse(sys.argv[2])';
  const files = [
    join(packaging, 'launchd', 'osediff-watch.plist'),
    join(packaging, 'windows', 'osediff-watch.xml'),
  ];
  t.notThrows(() => execFileSync('python3', ['-c', parse, ...files]));
});
