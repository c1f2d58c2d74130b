import { existsSync, readFileSync, renameSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { once } from 'node:events';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { probePicture } from '../../src/image/codec.ts';
import { Chaos, sha256OfFile, type Expectation } from '../helpers/chaos.ts';
import { random } from '../helpers/random.ts';
import {
  filesBelow,
  inputsBelow,
  resultsBelow,
  sidecar,
  startWatchProgram,
  until,
  watchFolders,
  type WatchFolders,
} from '../helpers/watch.ts';

// `npm run test:soak` asks for the sizes that are claimed; the suite itself runs smaller ones.
const soak = process.argv.includes('--soak');
const files = soak ? 1000 : 80;
const kills = soak ? 200 : 6;
const patient = soak ? 20 * 60_000 : 120_000;

/** Times that make a test quick. */
const times = ['--rest=0.15', '--patience=2', '--sweep=1', '--retry-after=0.1', '--scale=2'];

/** The results' content by what they were made of; fails when one was made twice. */
function resultsByContent(t: ExecutionContext, out: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of resultsBelow(out)) {
    const { sha256 } = sidecarOf(out, name);
    const before = found.get(sha256);
    if (before !== undefined) t.fail(`${name} and ${before} are results of the same content`);
    found.set(sha256, name);
  }
  return found;
}

interface Sidecar {
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
}

function sidecarOf(out: string, name: string): Sidecar {
  const path = existsSync(join(out, `${name}.json`)) ? name : undefined;
  if (path !== undefined) return sidecar(out, path)['input'] as Sidecar;
  // Of a name that is too long for `.json` behind it.
  const start = basename(name).slice(0, 200);
  const long = filesBelow(out).find((file) => file.startsWith(start) && file.endsWith('.json'))!;
  return (JSON.parse(readFileSync(join(out, long), 'utf8')) as { input: Sidecar }).input;
}

/** Everything is where it belongs, once. */
async function checkAll(
  t: ExecutionContext,
  { in: input, out, failed }: WatchFolders,
  { good, fleeting, bad }: Expectation,
): Promise<void> {
  const results = resultsByContent(t, out);
  for (const [sha256, { width, height }] of good) {
    const name = results.get(sha256);
    if (name === undefined) t.fail(`no result of ${sha256}, ${width}x${height}`);
    const size = await probePicture(join(out, name ?? ''));
    t.like(size, { width: width * 2, height: height * 2 });
  }
  for (const sha256 of results.keys()) t.true(good.has(sha256) || fleeting.has(sha256));
  const failures = filesBelow(failed);
  t.deepEqual(
    failures.filter((name) => !name.endsWith('.txt')),
    [...bad.keys()].sort(),
  );
  for (const [file, reason] of bad) {
    t.regex(readFileSync(join(failed, `${file}.txt`), 'utf8'), reason);
  }
  t.false(inputsBelow(input).some((file) => bad.has(file)));
  for (const file of [...filesBelow(out), ...failures]) {
    t.notRegex(file, /(^|\/)\.|\.tmp$|\.part$/, 'nothing unfinished is left');
  }
}

/** Whether everything that is expected is there, and nothing unfinished. */
function isThere(t: ExecutionContext, folders: WatchFolders, expected: Expectation): boolean {
  if (filesBelow(folders.out).some((file) => file.startsWith('.osediff'))) return false;
  if (filesBelow(folders.failed).length !== 2 * expected.bad.size) return false;
  const results = resultsByContent(t, folders.out);
  return [...expected.good.keys()].every((sha256) => results.has(sha256));
}

test.serial(
  `${files} files that arrive in every way: each good one once, each bad one with its reason`,
  async (t) => {
    t.timeout(patient);
    const folders = watchFolders(t);
    const { in: input, out, failed } = folders;
    const program = startWatchProgram([input, '--out', out, '--failed', failed, ...times]);
    t.teardown(() => program.kill('SIGKILL'));
    program.stdout!.resume();
    const chaos = new Chaos(input, 1);
    await chaos.drop(files);
    await until(t, 'everything', () => isThere(t, folders, chaos.expected), patient);
    await sleep(1500); // whatever would be made twice has its chance
    program.kill('SIGTERM');
    const [code] = (await once(program, 'exit')) as [number | null];
    t.is(code, 0);
    await checkAll(t, folders, chaos.expected);
  },
);

test.serial(
  `${kills} kills at random moments: each good one once, each bad one with its reason`,
  async (t) => {
    t.timeout(patient);
    const folders = watchFolders(t);
    const { in: input, out, failed } = folders;
    const next = random(2);
    const chaos = new Chaos(input, 3);
    const args = [input, '--out', out, '--failed', failed, ...times];
    for (let i = 0; i < kills; i++) {
      const program = startWatchProgram(args, { STAND_IN_STEP: '10' });
      program.stdout!.resume();
      const dropping = chaos.drop(4);
      await sleep(next() * 4000);
      program.kill('SIGKILL');
      await Promise.all([once(program, 'exit'), dropping]);
    }
    const program = startWatchProgram(args);
    t.teardown(() => program.kill('SIGKILL'));
    program.stdout!.resume();
    await until(t, 'everything', () => isThere(t, folders, chaos.expected), patient);
    program.kill('SIGTERM');
    await once(program, 'exit');
    await checkAll(t, folders, chaos.expected);
  },
);

test.serial(
  `${kills} kills while results are collected at once and originals deleted: none is delivered twice`,
  async (t) => {
    t.timeout(patient);
    const folders = watchFolders(t);
    const { in: input, out, failed } = folders;
    const collected = join(folders.root, 'collected');
    await mkdir(collected);
    const next = random(4);
    const chaos = new Chaos(input, 5);
    const delivered = new Map<string, number>();
    const collect = (): void => {
      for (const name of resultsBelow(out)) {
        const { sha256 } = sidecarOf(out, name);
        const times = (delivered.get(sha256) ?? 0) + 1;
        delivered.set(sha256, times);
        renameSync(join(out, name), join(collected, `${sha256}-${times}`));
      }
    };
    const collector = setInterval(collect, 50);
    t.teardown(() => clearInterval(collector));
    const args = [input, '--out', out, '--failed', failed, '--delete', ...times];
    for (let i = 0; i < kills; i++) {
      const program = startWatchProgram(args, { STAND_IN_STEP: '10' });
      program.stdout!.resume();
      const dropping = chaos.dropPlain(4);
      await sleep(next() * 4000);
      program.kill('SIGKILL');
      await Promise.all([once(program, 'exit'), dropping]);
    }
    const program = startWatchProgram(args);
    t.teardown(() => program.kill('SIGKILL'));
    program.stdout!.resume();
    await until(t, 'everything', () => inputsBelow(input).length === 0, patient);
    program.kill('SIGTERM');
    await once(program, 'exit');
    collect();
    t.deepEqual([...chaos.expected.good.keys()].sort(), [...delivered.keys()].sort());
    t.deepEqual(
      [...delivered.values()].filter((times) => times > 1),
      [],
    );
    t.is(filesBelow(failed).length, 0);
    const [first = ''] = filesBelow(collected);
    t.regex(await sha256OfFile(join(collected, first)), /^[0-9a-f]{64}$/);
  },
);

/** Memory in use by a process, in MiB, and the CPU time it took, in ms (Linux). */
function usage(pid: number): { readonly mebibytes: number; readonly cpu: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    mebibytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024,
    cpu: (Number(fields[11]) + Number(fields[12])) * 10, // in ticks of 10 ms
  };
}

const measures = soak && process.platform === 'linux' ? test.serial : test.skip;
measures(
  'memory is flat over 10,000 files, and idling takes under 1 % (with --soak, on Linux)',
  async (t) => {
    t.timeout(60 * 60_000);
    const folders = watchFolders(t);
    const { in: input, out, failed } = folders;
    const args = [input, '--out', out, '--failed', failed, '--delete', '--rest=0.1', '--scale=2'];
    const program = startWatchProgram(args);
    t.teardown(() => program.kill('SIGKILL'));
    program.stdout!.resume();
    const chaos = new Chaos(input, 7);
    const memory: number[] = [];
    for (let thousand = 1; thousand <= 10; thousand++) {
      for (let i = 0; i < 10; i++) {
        await chaos.dropPlain(100);
        await until(t, 'a hundred', () => inputsBelow(input).length < 100, patient);
      }
      await until(t, 'a thousand', () => inputsBelow(input).length === 0, patient);
      memory.push(Math.round(usage(program.pid!).mebibytes));
    }
    t.log(`MiB after each thousand files: ${memory.join(' ')}`);
    t.true(Math.max(...memory.slice(5)) < Math.max(...memory.slice(0, 5)) * 1.1 + 5);

    await sleep(35_000); // the process that checks files has ended by then
    const share = await idleShare(program.pid!);
    t.log(`idle, nothing there: ${(100 * share).toFixed(3)} % of a core`);
    t.true(share < 0.01);
    program.kill('SIGTERM');
    await once(program, 'exit');

    const resting = watchFolders(t);
    await new Chaos(resting.in, 8).dropPlain(10_000);
    const keeping = startWatchProgram([
      resting.in,
      '--out',
      resting.out,
      '--rest=0.1',
      '--scale=1',
    ]);
    t.teardown(() => keeping.kill('SIGKILL'));
    keeping.stdout!.resume();
    await until(t, 'all', () => filesBelow(resting.out).length === 20_000, patient);
    await sleep(35_000);
    const withFiles = await idleShare(keeping.pid!);
    const { mebibytes } = usage(keeping.pid!);
    t.log(
      `idle, 10,000 files there: ${(100 * withFiles).toFixed(3)} % of a core, ${Math.round(mebibytes)} MiB`,
    );
    t.true(withFiles < 0.01);
  },
);

/** The share of a core that a process takes over two minutes. */
async function idleShare(pid: number): Promise<number> {
  const before = usage(pid).cpu;
  await sleep(120_000);
  return (usage(pid).cpu - before) / 120_000;
}
