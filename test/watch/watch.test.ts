import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { probePicture } from '../../src/image/codec.ts';
import { PathError, UsageError } from '../../src/tensor/errors.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';
import {
  filesBelow,
  inputsBelow,
  resultsBelow,
  ruleFor,
  sidecar,
  startWatching,
  until,
  untilResults,
  watchFolders,
} from '../helpers/watch.ts';

test.serial('pictures that are there and that are dropped are upscaled, and stay', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'before.png'), 8, 6);
  startWatching(t, [ruleFor(folders)]);
  await untilResults(t, folders.out, ['before.png']);
  await drawPicture(join(folders.in, 'sub', 'later.jpg'), 5, 3);
  await untilResults(t, folders.out, ['before.png', 'sub/later.jpg']);
  const { width, height } = await probePicture(join(folders.out, 'sub', 'later.jpg'));
  t.deepEqual([width, height], [10, 6]);
  t.deepEqual(inputsBelow(folders.in), ['before.png', 'sub/later.jpg']);
  const beside = sidecar(folders.out, 'before.png');
  t.like(beside, {
    input: { file: 'before.png', width: 8, height: 6 },
    output: { file: 'before.png', width: 16, height: 12 },
    options: { scale: 2 },
  });
  t.regex((beside['model'] as { sha256: string }).sha256, /^[0-9a-f]{64}$/);
});

test.serial('a restart makes nothing again, and finds what was dropped meanwhile', async (t) => {
  const folders = watchFolders(t);
  const rule = ruleFor(folders);
  await drawPicture(join(folders.in, 'a.png'));
  const first = startWatching(t, [rule]);
  await untilResults(t, folders.out, ['a.png']);
  await first.stop();
  const made = readFileSync(join(folders.out, 'a.png.json'), 'utf8');
  await drawPicture(join(folders.in, 'b.png'), 9, 6);
  const second = startWatching(t, [rule]);
  await untilResults(t, folders.out, ['a.png', 'b.png']);
  t.is(readFileSync(join(folders.out, 'a.png.json'), 'utf8'), made);
  await second.stop();
  t.is(second.log.filter(({ msg }) => msg === 'done').length, 1);
});

test.serial('--delete and --done take originals away when their results are there', async (t) => {
  const folders = watchFolders(t);
  const done = join(folders.root, 'done');
  await drawPicture(join(folders.in, 'sub', 'a.png'));
  const moving = startWatching(t, [
    ruleFor(folders, { originals: { kind: 'move', folder: done } }),
  ]);
  await untilResults(t, folders.out, ['sub/a.png']);
  await until(t, 'the original is moved', () => filesBelow(done).join() === 'sub/a.png');
  t.deepEqual(inputsBelow(folders.in), []);
  await moving.stop();
  await drawPicture(join(folders.in, 'b.png'), 9, 6);
  startWatching(t, [ruleFor(folders, { originals: { kind: 'delete' } })]);
  await untilResults(t, folders.out, ['b.png', 'sub/a.png']);
  await until(t, 'the original is gone', () => inputsBelow(folders.in).length === 0);
});

test.serial(
  'documents of one name that come one after another all have their results',
  async (t) => {
    const folders = watchFolders(t);
    startWatching(t, [ruleFor(folders, { originals: { kind: 'delete' } })]);
    for (const width of [8, 9, 10]) {
      await drawPicture(join(folders.in, 'scan.png'), width, 6);
      await until(t, 'it is taken', () => inputsBelow(folders.in).length === 0);
    }
    await untilResults(t, folders.out, ['scan-2.png', 'scan-3.png', 'scan.png']);
    const { width } = await probePicture(join(folders.out, 'scan-3.png'));
    t.is(width, 20);
  },
);

test.serial('a picture that is overwritten where it stays has its result replaced', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'), 8, 6);
  const first = startWatching(t, [ruleFor(folders)]);
  await untilResults(t, folders.out, ['a.png']);
  await drawPicture(join(folders.root, 'new.png'), 11, 6);
  renameSync(join(folders.root, 'new.png'), join(folders.in, 'a.png'));
  await until(
    t,
    'the new result',
    () => first.log.filter(({ msg }) => msg === 'done').length === 2,
  );
  await untilResults(t, folders.out, ['a.png']);
  t.is((await probePicture(join(folders.out, 'a.png'))).width, 22);
  await first.stop();
  await drawPicture(join(folders.root, 'new.png'), 12, 6);
  renameSync(join(folders.root, 'new.png'), join(folders.in, 'a.png'));
  startWatching(t, [ruleFor(folders)]); // it also remembers across restarts whose result it is
  await until(
    t,
    'the newest result',
    async () =>
      (await probePicture(join(folders.out, 'a.png')).catch(() => undefined))?.width === 24,
  );
  await untilResults(t, folders.out, ['a.png']);
});

test.serial('what lies where a result would go is not replaced, unless it is ours', async (t) => {
  const folders = watchFolders(t);
  mkdirSync(folders.out);
  writeText(join(folders.out, 'a.png'), 'precious');
  await drawPicture(join(folders.in, 'a.png'));
  const first = startWatching(t, [ruleFor(folders)]);
  await until(t, 'a result', () => filesBelow(folders.out).join() === 'a-2.png,a-2.png.json,a.png');
  t.is(readFileSync(join(folders.out, 'a.png'), 'utf8'), 'precious');
  await first.stop();
});

test.serial('the same content gives one result, whatever it is called', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'));
  copyFileSync(join(folders.in, 'a.png'), join(folders.in, 'b.png'));
  const { log } = startWatching(t, [ruleFor(folders)]);
  await until(t, 'one result', () => filesBelow(folders.out).length === 2);
  copyFileSync(join(folders.in, 'a.png'), join(folders.in, 'c.png'));
  await until(t, 'the last copy is seen', () =>
    log.some(({ file, msg }) => file === 'c.png' && /already/.test(String(msg))),
  );
  t.is(filesBelow(folders.out).filter((name) => name.endsWith('.png')).length, 1);
});

test.serial('other settings give another result; a lost state does not', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'));
  const first = startWatching(t, [ruleFor(folders)]);
  await untilResults(t, folders.out, ['a.png']);
  await first.stop();
  renameSync(join(folders.in, '.osediff'), join(folders.root, 'lost'));
  const second = startWatching(t, [ruleFor(folders)]);
  await until(t, 'the result is recognized', () =>
    second.log.some(({ msg }) => /already/.test(String(msg))),
  );
  await untilResults(t, folders.out, ['a.png']);
  await second.stop();
  startWatching(t, [ruleFor(folders, { upscale: { scale: 3 } })]);
  await untilResults(t, folders.out, ['a-2.png', 'a.png']);
  t.is((await probePicture(join(folders.out, 'a-2.png'))).width, 24);
});

test.serial('a file is waited for while it grows, though it pauses', async (t) => {
  const folders = watchFolders(t);
  const whole = readFileSync(await drawPicture(join(folders.root, 'whole.png'), 64, 64));
  startWatching(t, [ruleFor(folders)], { patience: 5000 });
  const slow = join(folders.in, 'slow.png');
  for (let part = 1; part <= 4; part++) {
    writeFileSync(slow, whole.subarray(0, (whole.length * part) / 4));
    await sleep(200); // longer than it must rest
  }
  await untilResults(t, folders.out, ['slow.png']);
  t.deepEqual(filesBelow(folders.failed), []);
});

test.serial('temporary names are left alone until they are final', async (t) => {
  const folders = watchFolders(t);
  for (const name of [
    '.hidden.png',
    'a.png.part',
    'b.png.crdownload',
    '~$c.png',
    'd.png~',
    'e.tmp',
  ]) {
    await drawPicture(join(folders.root, 'x.png'));
    renameSync(join(folders.root, 'x.png'), join(folders.in, name));
  }
  await drawPicture(join(folders.in, 'f.png'), 9, 9);
  startWatching(t, [ruleFor(folders)]);
  await untilResults(t, folders.out, ['f.png']);
  await sleep(900); // longer than anything would take to be given up
  t.is(inputsBelow(folders.in).length, 7);
  renameSync(join(folders.in, 'a.png.part'), join(folders.in, 'a.png'));
  await untilResults(t, folders.out, ['a.png', 'f.png']);
});

test.serial('without events, as on a network share, sweeps find everything', async (t) => {
  const folders = watchFolders(t);
  startWatching(t, [ruleFor(folders)], { polling: true });
  await sleep(300);
  await drawPicture(join(folders.in, 'a.png'));
  await untilResults(t, folders.out, ['a.png']);
  const later = new Date(Date.now() + 5000);
  utimesSync(join(folders.in, 'a.png'), later, later); // touched, not changed
  await sleep(900);
  await untilResults(t, folders.out, ['a.png']);
});

test.serial('names of 255 bytes and of any script keep their results apart', async (t) => {
  const folders = watchFolders(t);
  const long = `${'写真'.repeat(41)}12345.png`;
  t.is(Buffer.byteLength(long), 255);
  const names = ['Ünï.png', 'a\nb.png', '😀.png', long];
  for (const [i, name] of names.entries()) await drawPicture(join(folders.in, name), 8 + i, 6);
  startWatching(t, [ruleFor(folders)]);
  await until(t, 'all results', () => {
    const there = filesBelow(folders.out);
    return names.every((name) => there.includes(name)) && there.length === 2 * names.length;
  });
  const other = watchFolders(t);
  await drawPicture(join(other.in, long), 8, 6);
  startWatching(t, [ruleFor(other, { ending: '.tiff' })]);
  await until(t, 'a shortened name', () => resultsBelow(other.out).length === 1);
  const [name = ''] = resultsBelow(other.out);
  t.true(Buffer.byteLength(name) <= 255 && name.startsWith('写真写真'));
});

test.serial('captions beside pictures are waited for, used, and no inputs', async (t) => {
  const folders = watchFolders(t);
  const rule = ruleFor(folders, { captions: true, originals: { kind: 'delete' } });
  await drawPicture(join(folders.in, 'a.png'));
  const { log } = startWatching(t, [rule], { patience: 20_000 });
  await sleep(500);
  writeText(join(folders.in, 'a.txt'), 'leaves');
  await untilResults(t, folders.out, ['a.png']);
  await until(t, 'both are gone', () => inputsBelow(folders.in).length === 0);
  t.deepEqual(filesBelow(folders.failed), []);
  t.is(log.filter(({ msg }) => msg === 'done').length, 1);
});

test.serial('folders that overlap are refused', async (t) => {
  const folders = watchFolders(t);
  const refuses = async (rule: Parameters<typeof ruleFor>[1]): Promise<void> => {
    await t.throwsAsync(startWatching(t, [ruleFor(folders, rule)]).ended, {
      instanceOf: UsageError,
    });
  };
  await refuses({ out: folders.in });
  await refuses({ out: join(folders.in, 'out') });
  await refuses({ out: folders.root });
  await refuses({ failed: folders.out });
  await refuses({ originals: { kind: 'move', folder: join(folders.out, 'done') } });
  t.deepEqual(filesBelow(folders.in), []);
});

test.serial('a second watcher of the same folder is refused', async (t) => {
  const folders = watchFolders(t);
  const { log } = startWatching(t, [ruleFor(folders)]);
  await until(t, 'the first watches', () => log.some(({ msg }) => msg === 'watching'));
  const second = startWatching(t, [ruleFor(folders, { out: join(folders.root, 'out2') })]);
  await t.throwsAsync(second.ended, { instanceOf: PathError, message: /nobody watches/ });
});

test.serial('a folder or a model that is missing ends it at the start', async (t) => {
  const folders = watchFolders(t);
  const missing = startWatching(t, [ruleFor(folders, { in: join(folders.root, 'none') })]);
  await t.throwsAsync(missing.ended, { instanceOf: PathError, message: /folder to watch/ });
  const model = startWatching(t, [ruleFor(folders, { model: { model: 'no-such-model' } })]);
  await t.throwsAsync(model.ended, { instanceOf: PathError, message: /no-such-model/ });
});
