import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { firstFree, move, writeWhole } from '../../src/watch/moves.ts';
import { temporaryFolder } from '../helpers/folder.ts';

test('a move creates folders, and leaves what has the name already', async (t) => {
  const folder = temporaryFolder(t);
  const [from, to, via] = [join(folder, 'a'), join(folder, 'x', 'y', 'b'), join(folder, 'via')];
  writeFileSync(from, 'new');
  t.true(await move(from, to, { via }));
  writeFileSync(from, 'newer');
  t.false(await move(from, to, { via }));
  t.is(readFileSync(to, 'utf8'), 'new');
  t.true(await move(from, to, { via, ifTaken: 'replace' }));
  t.is(readFileSync(to, 'utf8'), 'newer');
  t.deepEqual(readdirSync(folder), ['x']);
});

test('a move that a crash left between its two names is ended', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a'), 'x');
  linkSync(join(folder, 'a'), join(folder, 'b'));
  t.true(await move(join(folder, 'a'), join(folder, 'b'), { via: folder }));
  t.deepEqual(readdirSync(folder), ['b']);
});

test('a move keeps the time of the file', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a'), 'x');
  utimesSync(join(folder, 'a'), 1000, 1000);
  await move(join(folder, 'a'), join(folder, 'b'), { via: folder });
  t.is(statSync(join(folder, 'b')).mtimeMs, 1_000_000);
});

test('a whole file takes the place of the old, with nothing left beside it', async (t) => {
  const folder = temporaryFolder(t);
  await writeWhole(join(folder, 'a'), 'one', true);
  await writeWhole(join(folder, 'a'), 'two', false);
  t.is(readFileSync(join(folder, 'a'), 'utf8'), 'two');
  t.deepEqual(readdirSync(folder), ['a']);
  mkdirSync(join(folder, 'b'));
  await t.throwsAsync(writeWhole(join(folder, 'b'), 'three', false)); // a folder is in the way
  t.deepEqual(readdirSync(folder), ['a', 'b']);
});

test('the first free number is found in few looks', async (t) => {
  for (const taken of [0, 1, 2, 7, 8, 4999]) {
    let looks = 0;
    const free = await firstFree(async (n) => {
      looks++;
      return n > taken;
    });
    t.is(free, taken + 1);
    t.true(looks <= 2 * Math.log2(taken + 2) + 2, `${looks} looks for ${taken}`);
  }
});
