import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
// One process at a time: each takes a core and some 100 MB.
import test, { type ExecutionContext } from 'ava';
import { probePicture } from '../../src/image/codec.ts';
import { runCli, startCli, type CliOptions } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

interface Event {
  readonly event: string;
  readonly [key: string]: unknown;
}

function events(stdout: string): Event[] {
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Event);
}

/** All files below a folder, hidden ones too. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

test.serial('prints the path of the result on stdout and a line about it on stderr', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'p.png'), 8, 6);
  const { code, stdout, stderr } = await runCli(['upscale', 'p.png'], { cwd });
  t.deepEqual([code, stdout], [0, 'p-x4.png\n']);
  t.regex(stderr, /^p\.png: 32x24 in \d+\.\d s\n$/);
  const { width, height } = await probePicture(join(cwd, 'p-x4.png'));
  t.deepEqual([width, height], [32, 24]);
});

test.serial('creates the result folder and mirrors the input folder', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'in', 'sub', 'a.png'));
  await drawPicture(join(cwd, 'in', 'b.jpg'));
  const { code, stdout } = await runCli(['upscale', 'in', '-o', 'new/out', '--scale', '2'], {
    cwd,
  });
  t.is(code, 0);
  t.deepEqual(stdout.trim().split('\n'), [join('new/out/b.jpg'), join('new/out/sub/a.png')]);
  t.deepEqual(filesIn(join(cwd, 'new', 'out')), ['b.jpg', 'sub', join('sub', 'a.png')]);
});

test.serial('--json prints one object a line', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'a.png'), 8, 6);
  writeText(join(cwd, 'b.png'));
  const { code, stdout } = await runCli(['upscale', 'a.png', 'b.png', '--json'], { cwd });
  t.is(code, 1);
  const seen = events(stdout);
  t.deepEqual(
    seen.map(({ event }) => event),
    ['failed', 'planned', 'progress', 'done', 'end'],
  );
  t.is(seen[0]!['input'], 'b.png');
  t.like(seen[3], { input: 'a.png', output: 'a-x4.png', width: 32, height: 24 });
  t.is(typeof seen[3]!['seconds'], 'number');
  t.like(seen[4], { done: 1, failed: 1 });
});

test.serial('one bad file does not stop the rest and is listed', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'a.png'));
  writeText(join(cwd, 'b.png'));
  await drawPicture(join(cwd, 'c.png'));
  const { code, stdout, stderr } = await runCli(['upscale', 'a.png', 'b.png', 'c.png'], { cwd });
  t.is(code, 1);
  t.is(stdout, 'a-x4.png\nc-x4.png\n');
  const lines = stderr.trimEnd().split('\n');
  t.regex(lines[0]!, /^osediff: b\.png: expected a picture/);
  t.is(lines.at(-1), 'osediff: 1 of 3 failed: b.png');
});

/** The command fails with one line that matches, leaves no result, and loads no model. */
async function failsBeforeLoading(
  t: ExecutionContext,
  cwd: string,
  args: readonly string[],
  expected: { code: number; line: RegExp },
  options: CliOptions = {},
): Promise<void> {
  const before = filesIn(cwd);
  const log = join(temporaryFolder(t), 'loads');
  const { code, stdout, stderr } = await runCli(['upscale', ...args], { cwd, log, ...options });
  t.is(code, expected.code, stderr);
  t.is(stdout, '');
  t.regex(stderr, expected.line);
  t.is(stderr.indexOf('\n'), stderr.length - 1, 'one line');
  t.false(existsSync(log), 'no model is loaded');
  t.deepEqual(filesIn(cwd), before);
}

test.serial('a text file named .png fails before a model loads', async (t) => {
  const cwd = temporaryFolder(t);
  writeText(join(cwd, 'notes.png'));
  const line = /^osediff: notes\.png: expected a picture .*, got text\. .*\n$/;
  await failsBeforeLoading(t, cwd, ['notes.png'], { code: 1, line });
});

test.serial('a missing file fails before a model loads', async (t) => {
  const line = /^osediff: no\.png: expected .* Check its spelling\.\n$/;
  await failsBeforeLoading(t, temporaryFolder(t), ['no.png'], { code: 1, line });
});

test.serial('a name with a line break in it is still one line', async (t) => {
  const line = /^osediff: a\\nb\.png: expected .*\n$/;
  await failsBeforeLoading(t, temporaryFolder(t), ['a\nb.png'], { code: 1, line });
});

test.serial('an existing result is refused before a model loads', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'p.png'));
  writeText(join(cwd, 'p-x4.png'), 'precious');
  const line = /^osediff: p\.png: p-x4\.png: .* Give --overwrite/;
  await failsBeforeLoading(t, cwd, ['p.png'], { code: 1, line });
  t.is(readFileSync(join(cwd, 'p-x4.png'), 'utf8'), 'precious');
});

test.serial('two inputs for one result are wrong usage', async (t) => {
  const cwd = temporaryFolder(t);
  for (const folder of ['a', 'b']) await drawPicture(join(cwd, folder, 'p.png'));
  const line = /expected one input for each result, got a.p\.png and b.p\.png/;
  await failsBeforeLoading(t, cwd, ['a/p.png', 'b/p.png', '-o', 'out'], { code: 2, line });
});

test.serial('a result too large for its format fails before a model loads', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'wide.webp'), 4100, 1);
  const line = /wide-x4\.webp: expected sides of at most 16383 pixels in WebP, got 16400x4/;
  await failsBeforeLoading(t, cwd, ['wide.webp'], { code: 1, line });
});

const asNobody = process.getuid?.() === 0 ? test.serial : test.skip;
asNobody(
  'an output folder without permission fails before a model loads (run by root)',
  async (t) => {
    const cwd = temporaryFolder(t);
    chmodSync(cwd, 0o755);
    await drawPicture(join(cwd, 'p.png'));
    mkdirSync(join(cwd, 'out'), { mode: 0o755 });
    const line = /^osediff: out: expected a folder that may be written, got no permission\. /;
    await failsBeforeLoading(t, cwd, ['p.png', '-o', 'out'], { code: 1, line }, { uid: 65_534 });
  },
);

test.serial('a truncated JPEG fails alone, in one line', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'cut.jpg'), 64, 64);
  truncateSync(join(cwd, 'cut.jpg'), 900);
  await drawPicture(join(cwd, 'p.png'));
  const one = await runCli(['upscale', 'cut.jpg'], { cwd });
  t.is(one.code, 1);
  t.regex(one.stderr, /^osediff: cut\.jpg: expected a whole JPEG, .*\n$/);
  const both = await runCli(['upscale', 'cut.jpg', 'p.png'], { cwd });
  t.deepEqual([both.code, both.stdout], [1, 'p-x4.png\n']);
  t.deepEqual(filesIn(cwd), ['cut.jpg', 'p-x4.png', 'p.png']);
});

test.serial('a missing model is one line, though many pictures wait for it', async (t) => {
  const cwd = temporaryFolder(t);
  for (const name of ['a.png', 'b.png']) await drawPicture(join(cwd, name));
  const { code, stderr } = await runCli(['upscale', 'a.png', 'b.png'], { cwd, standIn: 'missing' });
  t.is(code, 1);
  t.is(stderr, 'osediff: model "x": expected an installed model, got none. Import it.\n');
});

test.serial('a fault of the program is shown with its stack', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'p.png'));
  const { code, stderr } = await runCli(['upscale', 'p.png'], { cwd, standIn: 'bug' });
  t.is(code, 1);
  t.regex(stderr, /^osediff: p\.png: TypeError: a fault of ours\n {4}at /);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test.serial(`${signal} ends it with 130 and leaves nothing behind`, async (t) => {
    const cwd = temporaryFolder(t);
    await drawPicture(join(cwd, 'p.png'));
    const args = ['upscale', 'p.png', '-o', 'out', '--json'];
    const { process: child, ended } = startCli(args, { cwd, standIn: 'slow' });
    child.stdout!.on('data', (text: string) => {
      if (text.includes('"progress"')) child.kill(signal);
    });
    const { code, stdout, stderr } = await ended;
    t.is(code, 130);
    t.is(stderr, 'osediff: interrupted.\n');
    t.is(events(stdout).at(-1)!.event, 'error');
    t.deepEqual(filesIn(cwd), ['p.png']);
  });
}

test.serial('a second SIGINT ends it at once, even in native code', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'p.png'));
  const { process: child, ended } = startCli(['upscale', 'p.png', '--json'], {
    cwd,
    standIn: 'busy',
  });
  let second = 0;
  child.stdout!.on('data', (text: string) => {
    if (!text.includes('"progress"')) return;
    child.kill('SIGINT');
    void sleep(300).then(() => {
      t.is(child.exitCode, null);
      second = performance.now();
      child.kill('SIGINT');
    });
  });
  const { signal, stderr } = await ended;
  t.is(signal, 'SIGINT', stderr); // which a shell shows as 130
  t.true(second > 0 && performance.now() - second < 3000);
});

const posix = process.platform === 'win32' ? test.skip : test.serial;
posix('a reader that stops early does not stop the pictures', async (t) => {
  const cwd = temporaryFolder(t);
  for (const name of ['a.png', 'b.png', 'c.png']) await drawPicture(join(cwd, name));
  const { process: child, ended } = startCli(['upscale', 'a.png', 'b.png', 'c.png'], { cwd });
  child.stdout!.destroy();
  const { code, stderr } = await ended;
  t.is(code, 0, stderr);
  t.false(stderr.includes('EPIPE'));
  t.is(filesIn(cwd).length, 6);
});

const tmpfs = canMount() ? test.serial : test.skip;
tmpfs('a full disk leaves nothing half-written (where a tmpfs can be mounted)', async (t) => {
  const cwd = temporaryFolder(t);
  const small = join(cwd, 'small');
  mkdirSync(small);
  await drawPicture(join(cwd, 'p.png'), 256, 256);
  mount(small);
  try {
    const { code, stderr } = await runCli(['upscale', 'p.png', '-o', 'small', '--format', 'jpg'], {
      cwd,
    });
    t.is(code, 1);
    t.regex(stderr, /^osediff: .*p\.jpg: expected room on the disk.*\n$/);
    t.deepEqual(filesIn(small), []);
  } finally {
    execFileSync('/bin/umount', [small]);
  }
});

function mount(folder: string): void {
  const args = ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder];
  execFileSync('/bin/mount', args, { stdio: 'ignore' });
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-test-'));
  try {
    mount(folder);
    execFileSync('/bin/umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}
