import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { PathError } from '../../src/tensor/errors.ts';
import { takeLock } from '../../src/watch/lock.ts';
import { temporaryFolder } from '../helpers/folder.ts';

/** A lock file that says what `owner` says. */
function lockedBy(t: ExecutionContext, owner: object): string {
  const folder = temporaryFolder(t);
  const whole = { host: hostname(), pid: process.pid, started: '', token: 'x', ...owner };
  writeFileSync(join(folder, 'lock'), JSON.stringify(whole));
  return folder;
}

test('one holder at a time; what is given back can be taken', async (t) => {
  const folder = temporaryFolder(t);
  const giveBack = await takeLock(folder);
  await t.throwsAsync(takeLock(folder), { instanceOf: PathError, message: /nobody watches/ });
  await giveBack();
  t.false(existsSync(join(folder, 'lock')));
  await (
    await takeLock(folder)
  )();
});

test("many that want a dead one's lock: one gets it", async (t) => {
  const folder = lockedBy(t, { pid: await deadProcess() });
  const takers = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(folder)));
  const got = takers.filter(({ status }) => status === 'fulfilled');
  t.is(got.length, 1);
});

test("a torn lock is nobody's", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'lock'), '');
  await (
    await takeLock(folder)
  )();
  t.pass();
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux(
  'a process that has the number of a dead holder is not the holder (on Linux)',
  async (t) => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], {
      stdio: 'ignore',
    });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    await (
      await takeLock(lockedBy(t, { pid: child.pid, started: 'another boot:1' }))
    )();
    t.pass();
  },
);

test('a holder on another machine lives as long as it touches its lock', async (t) => {
  const folder = lockedBy(t, { host: 'elsewhere' });
  const path = join(folder, 'lock');
  const beats = setInterval(() => utimesSync(path, new Date(), new Date()), 20);
  await t.throwsAsync(takeLock(folder, { beat: 40 }), { message: /on elsewhere/ });
  clearInterval(beats);
  const giveBack = await takeLock(folder, { beat: 40 });
  t.is((JSON.parse(readFileSync(path, 'utf8')) as { host: string }).host, hostname());
  await giveBack();
});

/** The number of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid!;
}
