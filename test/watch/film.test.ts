import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ffmpegTest, ffprobe, makeClip } from '../plugins/ffmpeg-filter/clips.ts';
import { writeText } from '../helpers/picture-files.ts';
import {
  filesBelow,
  sidecar,
  startWatchProgram,
  until,
  untilResults,
  watchFolders,
  type WatchFolders,
} from '../helpers/watch.ts';

const quick = ['--rest=0.2', '--patience=1', '--sweep=1', '--retry-after=0.1', '--scale=2'];

/** The program, silent; it ends with the test. */
function run(
  t: ExecutionContext,
  { in: input, out, failed }: WatchFolders,
  more: readonly string[] = [],
  env: Record<string, string> = {},
): ReturnType<typeof startWatchProgram> {
  const args = [input, '--out', out, '--failed', failed, ...quick, ...more];
  const program = startWatchProgram(args, env);
  program.stdout!.resume();
  t.teardown(() => program.kill('SIGKILL'));
  return program;
}

/** Put a clip into the watched folder. */
function drop(folders: WatchFolders, clip: string, name = clip): void {
  const made = makeClip(folders.root, clip); // beside: it makes other files as well
  writeFileSync(join(folders.in, name), readFileSync(made));
}

ffmpegTest('films are handed to the video command, bad ones fail with its reason', async (t) => {
  const folders = watchFolders(t);
  drop(folders, 'h264.mp4');
  writeText(join(folders.in, 'bad.mov'));
  writeText(join(folders.in, 'empty.mkv'), '');
  run(t, folders);
  await untilResults(t, folders.out, ['h264.mp4'], 60_000);
  const { streams } = ffprobe(join(folders.out, 'h264.mp4'), '-show_streams');
  t.like(streams![0], { codec_type: 'video', width: 128, height: 72 });
  t.like(streams![1], { codec_type: 'audio' });
  t.like(sidecar(folders.out, 'h264.mp4'), { output: { width: 128, height: 72 } });
  await until(t, 'the bad ones', () => filesBelow(folders.failed).length === 4);
  t.regex(readFileSync(join(folders.failed, 'bad.mov.txt'), 'utf8'), /bad\.mov/);
  t.regex(readFileSync(join(folders.failed, 'empty.mkv.txt'), 'utf8'), /empty file/);
});

ffmpegTest('a film is enlarged by 2 or 4, and refused otherwise', async (t) => {
  const folders = watchFolders(t);
  drop(folders, 'one.mp4');
  run(t, folders, ['--scale=3']);
  await until(t, 'a reason', () => existsSync(join(folders.failed, 'one.mp4.txt')));
  t.regex(readFileSync(join(folders.failed, 'one.mp4.txt'), 'utf8'), /--scale 2 or 4/);
});

ffmpegTest(
  'a film that is killed half-way is gone on with, and nothing works on it meanwhile',
  async (t) => {
    const folders = watchFolders(t);
    drop(folders, 'long-gop.mkv', 'a.mkv');
    const slow = run(t, folders, [], { STAND_IN_STEP: '100' });
    const work = (): string[] =>
      filesBelow(folders.out).filter((name) => name.includes('.osediff/'));
    await until(
      t,
      'the film is begun',
      () => work().some((name) => name.endsWith('.part')),
      60_000,
    );
    slow.kill('SIGKILL');
    await once(slow, 'exit');
    await until(t, 'no process is left', () => !isWorkedOn(folders.root));
    run(t, folders);
    await untilResults(t, folders.out, ['a.mkv'], 60_000);
  },
);

/** Whether a process has a path in its command line (on Linux; elsewhere it is not looked for). */
function isWorkedOn(path: string): boolean {
  if (process.platform !== 'linux') return false;
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path);
    } catch {
      return false; // gone meanwhile
    }
  });
}
