import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { writePicture } from '../../src/image/codec.ts';
import { makePicture } from '../../src/image/picture.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';
import { widths } from '../helpers/stand-in.ts';
import {
  filesBelow,
  inputsBelow,
  quick,
  ruleFor,
  startWatching,
  until,
  untilResults,
  watchFolders,
  type Running,
} from '../helpers/watch.ts';

/** Wait until these files, and their reasons, are in a folder of failures. @returns the reasons */
async function untilFailed(
  t: ExecutionContext,
  folder: string,
  names: readonly string[],
): Promise<string[]> {
  const wanted = names.flatMap((name) => [name, `${name}.txt`]).sort();
  await until(t, `failed: ${names.join(', ')}`, () => filesBelow(folder).join() === wanted.join());
  return names.map((name) => readFileSync(join(folder, `${name}.txt`), 'utf8'));
}

test.serial('what is no picture is failed under its own name, with the reason', async (t) => {
  const folders = watchFolders(t);
  writeText(join(folders.in, 'empty.png'), '');
  writeText(join(folders.in, 'sub', 'text.png'));
  writeText(join(folders.in, 'notes.doc'));
  writeText(join(folders.in, 'film.mp4'));
  await drawPicture(join(folders.in, 'cut.jpg'), 64, 64);
  truncateSync(join(folders.in, 'cut.jpg'), 900);
  await drawPicture(join(folders.in, 'good.png'));
  const start = performance.now();
  startWatching(t, [ruleFor(folders)]);
  const names = ['empty.png', 'sub/text.png', 'notes.doc', 'film.mp4', 'cut.jpg'];
  const reasons = await untilFailed(t, folders.failed, names);
  t.regex(reasons[0]!, /got an empty file/);
  t.regex(reasons[1]!, /got text/);
  t.regex(reasons[2]!, /got text/);
  t.regex(reasons[3]!, /got a film/);
  t.regex(reasons[4]!, /truncated/);
  t.true(performance.now() - start > quick.patience, 'they had their time');
  await untilResults(t, folders.out, ['good.png']);
  t.deepEqual(inputsBelow(folders.in), ['good.png']);
});

test.serial('another bad file of the same name fails beside the first', async (t) => {
  const folders = watchFolders(t);
  startWatching(t, [ruleFor(folders)]);
  for (const text of ['one', 'two']) {
    writeText(join(folders.in, 'a.png'), text);
    await until(t, 'it is taken', () => inputsBelow(folders.in).length === 0);
  }
  await untilFailed(t, folders.failed, ['a.png', 'a-2.png']);
  t.is(readFileSync(join(folders.failed, 'a-2.png'), 'utf8'), 'two');
});

test.serial('a failed file that turns out to be unfinished is taken back', async (t) => {
  const folders = watchFolders(t);
  const whole = readFileSync(await drawPicture(join(folders.root, 'whole.png'), 64, 64));
  writeFileSync(join(folders.in, 'slow.png'), whole.subarray(0, 100));
  startWatching(t, [ruleFor(folders)]);
  await untilFailed(t, folders.failed, ['slow.png']);
  appendFileSync(join(folders.failed, 'slow.png'), whole.subarray(100)); // the upload goes on
  await untilResults(t, folders.out, ['slow.png']);
  t.deepEqual(filesBelow(folders.failed), []);
});

test.serial('a picture that the model refuses is tried again, then fails', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'), widths.refused);
  const { log } = startWatching(t, [ruleFor(folders)]);
  const [reason] = await untilFailed(t, folders.failed, ['a.png']);
  t.regex(reason!, /no model likes.*\(3 tries\)/);
  t.is(log.filter(({ msg }) => msg === 'try failed').length, 3);
});

/** A picture that kills or stops its process costs itself, and none of the others. */
const costsOneFile = test.macro<[number, RegExp, Parameters<typeof startWatching>[2]?]>({
  async exec(t, width, expected, settings) {
    const folders = watchFolders(t);
    for (const name of ['a.png', 'c.png'])
      await drawPicture(join(folders.in, name), name.charCodeAt(0), 4);
    await drawPicture(join(folders.in, 'b.png'), width, 5);
    startWatching(t, [ruleFor(folders)], { tries: 2, ...settings });
    const [reason] = await untilFailed(t, folders.failed, ['b.png']);
    t.regex(reason!, expected);
    await untilResults(t, folders.out, ['a.png', 'c.png']);
  },
  title: (_, width) => `a picture costs one file: width ${width}`,
});
test.serial(costsOneFile, widths.crashes, /ended with signal SIGSEGV/);
test.serial(costsOneFile, widths.hoards, /more memory than 400 MiB/, { memory: 400 * 2 ** 20 });
test.serial(costsOneFile, widths.failsDevice, /out of memory \(2 tries\)/);
test.serial(costsOneFile, widths.hangs, /longer than 3 s/, { timeLimit: 3000 });

test.serial(
  'many that bring down their process one after another pause it, yet all are given up',
  async (t) => {
    const folders = watchFolders(t);
    for (let i = 0; i < 6; i++) {
      await drawPicture(join(folders.in, `${i}.png`), widths.failsDevice, 4 + i);
    }
    const running = startWatching(t, [ruleFor(folders)], { tries: 1 });
    await until(t, 'a pause', () => pauses(running).length > 0);
    await until(t, 'five', () => filesBelow(folders.failed).length === 2 * 5);
    await until(t, 'the last', () => filesBelow(folders.failed).length === 2 * 6);
    t.pass();
  },
);

test.serial('a model that cannot be loaded pauses, and costs no file', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'));
  const model = join(folders.root, 'broken'); // which the stand-in refuses by its name
  writeText(join(model, 'osediff.json'), '{}');
  const { log } = startWatching(t, [ruleFor(folders, { model: { model } })]);
  await until(t, 'a pause', () => log.some(({ msg }) => msg === 'paused'));
  t.regex(String(log.find(({ msg }) => msg === 'paused')!['reason']), /expected weights/);
  await sleep(500);
  t.deepEqual(inputsBelow(folders.in), ['a.png']);
  t.deepEqual(filesBelow(folders.failed), []);
});

/** What the log says of pauses and their ends. */
function pauses({ log }: Running): string[] {
  return log.map(({ msg }) => String(msg)).filter((msg) => msg === 'paused' || msg === 'goes on');
}

test.serial('a share that goes away is no deletion: it goes on when it is back', async (t) => {
  const folders = watchFolders(t);
  for (let i = 0; i < 5; i++) await drawPicture(join(folders.in, `${i}.png`), 8 + i);
  const running = startWatching(t, [ruleFor(folders)]);
  const names = ['0.png', '1.png', '2.png', '3.png', '4.png'];
  await untilResults(t, folders.out, names);
  const away = join(folders.root, 'away');
  renameSync(folders.in, away);
  mkdirSync(folders.in); // an empty mount point is what is left
  await until(t, 'a pause', () => pauses(running).length === 1);
  writeText(join(away, 'new.txt'), 'no picture');
  rmdirSync(folders.in);
  renameSync(away, folders.in);
  await until(t, 'it goes on', () => pauses(running).length === 2);
  await untilFailed(t, folders.failed, ['new.txt']);
  t.is(running.log.filter(({ msg }) => msg === 'done').length, 5, 'nothing was made twice');
  await untilResults(t, folders.out, names);
});

const tmpfs = canMount() ? test.serial : test.skip;
tmpfs(
  'a full disk pauses, and is gone on with when it is not (where a tmpfs can be mounted)',
  async (t) => {
    const folders = watchFolders(t);
    mkdirSync(folders.out);
    mount(folders.out, 'size=200k');
    t.teardown(() => execFileSync('/bin/umount', ['-l', folders.out]));
    writeFileSync(join(folders.out, 'filler'), Buffer.alloc(188 * 1024));
    const noise = new Uint8Array(randomBytes(150 * 150 * 3)); // which no format makes smaller
    await writePicture(makePicture(150, 150, 3, noise), join(folders.in, 'a.png'));
    const running = startWatching(t, [ruleFor(folders, { upscale: { scale: 1 } })]);
    await until(t, 'a pause', () => pauses(running).length === 1);
    t.regex(String(running.log.find(({ msg }) => msg === 'paused')!['reason']), /ENOSPC/);
    await sleep(500);
    t.deepEqual(filesBelow(folders.failed), []);
    rmSync(join(folders.out, 'filler'));
    await untilResults(t, folders.out, ['a.png']);
  },
);

tmpfs(
  'a disk that turns read-only pauses, and is gone on with (where a tmpfs can be mounted)',
  async (t) => {
    const folders = watchFolders(t);
    mkdirSync(folders.out);
    mount(folders.out, 'size=4m');
    t.teardown(() => execFileSync('/bin/umount', ['-l', folders.out]));
    await drawPicture(join(folders.in, 'a.png'));
    const running = startWatching(t, [ruleFor(folders)]);
    await untilResults(t, folders.out, ['a.png']);
    execFileSync('/bin/mount', ['-o', 'remount,ro', folders.out]);
    await drawPicture(join(folders.in, 'b.png'), 9);
    await until(t, 'a pause', () => pauses(running).length === 1);
    execFileSync('/bin/mount', ['-o', 'remount,rw', folders.out]);
    await untilResults(t, folders.out, ['a.png', 'b.png']);
  },
);

tmpfs('results that lay on a mounted disk are not written to its empty mount point', async (t) => {
  const folders = watchFolders(t);
  mkdirSync(folders.out);
  mount(folders.out, 'size=4m');
  await drawPicture(join(folders.in, 'a.png'));
  const first = startWatching(t, [ruleFor(folders)]);
  await untilResults(t, folders.out, ['a.png']);
  await first.stop();
  execFileSync('/bin/umount', [folders.out]);
  await drawPicture(join(folders.in, 'b.png'), 9);
  const second = startWatching(t, [ruleFor(folders)]);
  await until(t, 'a pause', () => pauses(second).length === 1);
  t.deepEqual(filesBelow(folders.out), []);
  mount(folders.out, 'size=4m');
  t.teardown(() => execFileSync('/bin/umount', ['-l', folders.out]));
  await untilResults(t, folders.out, ['b.png']);
});

tmpfs(
  'originals and failures move to another device whole (where a tmpfs can be mounted)',
  async (t) => {
    const folders = watchFolders(t);
    const other = join(folders.root, 'other');
    mkdirSync(other);
    mount(other, 'size=4m');
    t.teardown(() => execFileSync('/bin/umount', ['-l', other]));
    const bytes = readFileSync(await drawPicture(join(folders.in, 'a.png')));
    writeText(join(folders.in, 'bad.png'));
    const done = join(other, 'done');
    const failed = join(other, 'failed');
    startWatching(t, [ruleFor(folders, { failed, originals: { kind: 'move', folder: done } })]);
    await untilFailed(t, failed, ['bad.png']);
    await until(t, 'the original is moved', () => filesBelow(done).join() === 'a.png');
    t.deepEqual(readFileSync(join(done, 'a.png')), bytes);
    t.deepEqual(inputsBelow(folders.in), []);
  },
);

tmpfs(
  'a folder that may only be read is watched, with state elsewhere (where a tmpfs can be mounted)',
  async (t) => {
    const folders = watchFolders(t);
    mount(folders.in, 'size=4m');
    t.teardown(() => execFileSync('/bin/umount', ['-l', folders.in]));
    await drawPicture(join(folders.in, 'a.png'));
    writeText(join(folders.in, 'bad.png'));
    execFileSync('/bin/mount', ['-o', 'remount,ro', folders.in]);
    const stateRoot = join(folders.root, 'state');
    const first = startWatching(t, [ruleFor(folders)], { stateRoot });
    await untilResults(t, folders.out, ['a.png']);
    await untilFailed(t, folders.failed, ['bad.png']);
    await first.stop();
    const second = startWatching(t, [ruleFor(folders)], { stateRoot });
    await sleep(2000);
    await second.stop();
    t.false(second.log.some(({ msg }) => msg === 'done' || msg === 'failed'));
    await untilFailed(t, folders.failed, ['bad.png']);
  },
);

function mount(folder: string, options: string): void {
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-test-'));
  try {
    mount(folder, 'size=16k');
    execFileSync('/bin/umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}
