import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { runCli, startCli, type CliOptions } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import {
  ffmpeg,
  ffmpegTest,
  ffprobe,
  hashes,
  makeClip,
  times,
} from '../plugins/ffmpeg-filter/clips.ts';

const file = new URL('../helpers/video-child.ts', import.meta.url).pathname;

const video = (args: readonly string[], options: CliOptions = {}): ReturnType<typeof runCli> =>
  runCli(['video', ...args], { file, ...options });

ffmpegTest(
  'killed at any moment, a resumed film has the frames of an uninterrupted one',
  async (t) => {
    const folder = temporaryFolder(t);
    ffmpeg(
      folder,
      '-f lavfi -i testsrc2=s=64x36:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -g 10 -bf 2 -c:a aac in.mp4',
    );
    const input = join(folder, 'in.mp4');
    const whole = join(folder, 'whole.mp4');
    const args = [input, '--scale', '2', '--segment', '7', '--no-reuse'];
    const first = await video([...args, '-o', whole]);
    t.is(first.code, 0, first.stderr);
    const output = join(folder, 'killed.mp4');
    let kills = 0;
    let resumed = 0;
    for (let round = 0; round < 10; round++) {
      const { process: child, ended } = startCli(
        ['video', ...args, '-o', output, '--resume', '--json'],
        {
          file,
          standIn: 'slow',
        },
      );
      // From the start of the work on, which takes some seconds and is spread over all rounds.
      let planned = false;
      child.stdout!.on('data', (text: string) => {
        if (planned || !text.includes('"planned"')) return;
        planned = true;
        resumed = Math.max(resumed, Number(/"resumed":(\d+)/.exec(text)?.[1] ?? 0));
        void sleep(100 + Math.random() * 900).then(() => child.kill('SIGKILL'));
      });
      const { signal } = await ended;
      if (signal === 'SIGKILL') kills++;
      t.is(existsSync(output), signal === null);
      if (signal === null) break;
    }
    if (!existsSync(output)) {
      const last = await video([...args, '-o', output, '--resume']);
      t.is(last.code, 0, last.stderr);
    }
    t.true(kills >= 3, `killed ${kills} times`);
    t.true(resumed > 0, 'work was resumed');
    t.is(hashes(output, 'v', 'frames'), hashes(whole, 'v', 'frames'));
    t.deepEqual(times(output), times(input));
    t.is(hashes(output, 'a', 'copy'), hashes(input, 'a', 'copy'));
    t.deepEqual(
      readdirSync(folder).sort(),
      ['in.mp4', 'killed.mp4', 'whole.mp4'],
      'nothing is left',
    );
  },
);

ffmpegTest('SIGINT ends it with 130, keeps finished segments, and leaves no process', async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(folder, '-f lavfi -i testsrc2=s=64x36:r=25:d=2 -c:v libx264 in.mp4');
  const args = ['video', 'in.mp4', '-o', 'out.mp4', '--segment', '5', '--no-reuse', '--json'];
  const { process: child, ended } = startCli(args, { file, cwd: folder, standIn: 'slow' });
  let asked = false; // a second Ctrl-C would end it at once
  child.stdout!.on('data', (text: string) => {
    const done = [...text.matchAll(/"done":(\d+)/g)].map((match) => Number(match[1]));
    if (asked || !done.some((frames) => frames >= 12)) return;
    asked = true;
    child.kill('SIGINT');
  });
  const { code, stderr } = await ended;
  t.is(code, 130, stderr);
  t.is(stderr, 'osediff: interrupted.\n');
  const left = readdirSync(join(folder, '.out.mp4.osediff'));
  t.true(left.includes('000000.nut') && left.includes('000000.json'));
  const again = await video(['in.mp4', '-o', 'out.mp4', '--segment', '5'], { cwd: folder });
  t.is(again.code, 2);
  t.regex(again.stderr, /expected no unfinished work, got some .* --resume .*--overwrite/);
  const other = await video(['in.mp4', '-o', 'out.mp4', '--segment', '6', '--resume'], {
    cwd: folder,
  });
  t.is(other.code, 2);
  t.regex(other.stderr, /expected the settings that the work was begun with, got another segment/);
  const anew = await video(['in.mp4', '-o', 'out.mp4', '--overwrite'], { cwd: folder });
  t.is(anew.code, 0, anew.stderr);
});

/** The command fails in one line that matches and leaves nothing. */
async function fails(
  t: Parameters<Parameters<typeof ffmpegTest>[1]>[0],
  folder: string,
  args: readonly string[],
  { code, line }: { code: number; line: RegExp },
): Promise<void> {
  const before = readdirSync(folder).sort();
  const log = join(temporaryFolder(t), 'frames');
  const outcome = await video(args, { cwd: folder, log });
  t.is(outcome.code, code, outcome.stderr);
  const lines = outcome.stderr.trimEnd().split('\n');
  t.regex(lines.at(-1)!, line);
  t.true(lines.length <= 2, outcome.stderr); // the first says which ffmpeg is used
  t.false(existsSync(log), 'no frame went through the model');
  t.deepEqual(readdirSync(folder).sort(), before);
}

ffmpegTest('what is no video is refused in one line', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'text.mp4'), 'no video at all');
  writeFileSync(join(folder, 'empty.mkv'), '');
  ffmpeg(folder, '-f lavfi -i sine=d=0.2 sound.m4a');
  makeClip(folder, 'h264.mp4');
  truncateSync(join(folder, 'h264.mp4'), 2000);
  for (const name of ['text.mp4', 'empty.mkv', 'h264.mp4']) {
    await fails(t, folder, [name, '-o', 'o.mp4'], {
      code: 1,
      line: new RegExp(`^osediff: ${name}: expected a video, got none`),
    });
  }
  await fails(t, folder, ['sound.m4a', '-o', 'o.mp4'], {
    code: 1,
    line: /without a picture stream/,
  });
  await fails(t, folder, ['none.mp4', '-o', 'o.mp4'], {
    code: 1,
    line: /^osediff: none\.mp4: .*No such file/,
  });
});

ffmpegTest('a video without frames is refused', async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(folder, '-f lavfi -i testsrc2=s=64x36:r=25:d=0.2 -c:v ffv1 -t 0 zero.mkv');
  await fails(t, folder, ['zero.mkv', '-o', 'o.mkv'], { code: 1, line: /zero\.mkv: expected/ });
});

ffmpegTest('playlists and lists that name other files are refused', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'stream.ts');
  const lists: Record<string, string> = {
    'list.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.6,\nstream.ts\n#EXT-X-ENDLIST\n',
    'list.mp4': '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.6,\nstream.ts\n#EXT-X-ENDLIST\n',
    'list.ffconcat': "ffconcat version 1.0\nfile 'stream.ts'\n",
  };
  for (const [name, text] of Object.entries(lists)) {
    writeFileSync(join(folder, name), text);
    await fails(t, folder, [name, '-o', 'o.mkv'], {
      code: 1,
      line: new RegExp(`^osediff: ${name}: expected a `),
    });
  }
});

ffmpegTest(
  'file names with spaces, a newline, a colon, a leading dash or a pattern are only names',
  async (t) => {
    const folder = temporaryFolder(t);
    makeClip(folder, 'ntsc.mp4');
    for (const name of [
      'a b.mp4',
      'a\nb.mp4',
      'http:x.mp4',
      '-dash.mp4',
      '%03d.mp4',
      "it's [1].mp4",
    ]) {
      writeFileSync(join(folder, name), readFileSync(join(folder, 'ntsc.mp4')));
      const args = ['-o', `x ${name}`, '--scale', '2', '--', name];
      const { code, stderr } = await video(args, { cwd: folder });
      t.is(code, 0, stderr);
      t.deepEqual(times(join(folder, `x ${name}`)), times(join(folder, 'ntsc.mp4')));
    }
  },
);

ffmpegTest('what the container cannot hold is said before the first frame', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'subtitles.mkv');
  const args = ['subtitles.mkv', '-o', 'o.mp4'];
  await fails(t, folder, args, {
    code: 2,
    line: /o\.mp4: cannot hold stream 2 \(subtitle subrip\), stream 3 \(attachment ttf\).* --leave-out .*--accept-loss/,
  });
  const done = await video([...args, '--leave-out', 'subtitle', 'attachment'], { cwd: folder });
  t.is(done.code, 0, done.stderr);
  makeClip(folder, 'alpha.mov');
  await fails(t, folder, ['alpha.mov', '-o', 'o.mkv', '--codec', 'libx264'], {
    code: 2,
    line: /o\.mkv: cannot hold alpha/,
  });
  makeClip(folder, 'hdr.mkv');
  await fails(t, folder, ['hdr.mkv', '-o', 'o.webm', '--codec', 'libvpx-vp9'], {
    code: 2,
    line: /cannot hold HDR10 metadata/,
  });
});

ffmpegTest('an existing result, an unknown ending and the input itself are refused', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'h264.mp4');
  writeFileSync(join(folder, 'there.mkv'), 'precious');
  const input = 'h264.mp4';
  await fails(t, folder, [input, '-o', 'there.mkv'], {
    code: 1,
    line: /expected no such file yet/,
  });
  await fails(t, folder, [input, '-o', 'a.txt'], { code: 2, line: /expected the name of a video/ });
  await fails(t, folder, [input, '-o', input, '--overwrite'], {
    code: 2,
    line: /another name than the input's/,
  });
  await fails(t, folder, [input, '-o', 'no/a.mp4'], {
    code: 1,
    line: /expected a folder that may be written/,
  });
  t.is(readFileSync(join(folder, 'there.mkv'), 'utf8'), 'precious');
});

ffmpegTest('a part of a film begins at 0, its sound with it', async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(
    folder,
    '-f lavfi -i testsrc2=s=64x36:r=25:d=3 -f lavfi -i sine=d=3 -c:v libx264 -g 25 -c:a aac in.mkv',
  );
  const args = ['in.mkv', '-o', 'out.mkv', '--start', '0:01', '--end', '2'];
  const { code, stderr } = await video(args, { cwd: folder });
  t.is(code, 0, stderr);
  t.is(times(join(folder, 'out.mkv')).length, 25);
  const sound = times(join(folder, 'out.mkv'), 'a:0').map(Number);
  const pictures = times(join(folder, 'out.mkv')).map(Number);
  t.true(Math.abs(sound[0]! - pictures[0]!) < 0.05, `${sound[0]} ${pictures[0]}`);
  t.true(Math.abs(sound.at(-1)! - pictures.at(-1)!) < 0.1, `${sound.at(-1)} ${pictures.at(-1)}`);
});

ffmpegTest('--preview writes a still or a clip beside the result', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'h264.mp4');
  const still = await video(['h264.mp4', '-o', 'a.mp4', '--preview'], { cwd: folder });
  t.is(still.stdout, 'a-preview.png\na.mp4\n', still.stderr);
  const clip = await video(['h264.mp4', '-o', 'b.mp4', '--preview', 'clip'], { cwd: folder });
  t.is(clip.stdout, 'b-preview.mp4\nb.mp4\n', clip.stderr);
  t.true(times(join(folder, 'b-preview.mp4')).length > 3);
});

ffmpegTest('--json tells the ffmpeg, the plan, progress and the end', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'h264.mp4');
  const { stdout, stderr } = await video(['h264.mp4', '-o', 'o.mp4', '--json'], { cwd: folder });
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string });
  t.deepEqual(
    [events[0]!.event, events[1]!.event, events.at(-1)!.event],
    ['ffmpeg', 'planned', 'end'],
    stderr,
  );
  t.like(events.at(-1), { output: 'o.mp4', frames: 15, width: 256, height: 144 });
});

ffmpegTest(
  'without native ffmpeg: the same frames by WebAssembly, and AV1 refused with the remedy',
  async (t) => {
    const folder = temporaryFolder(t);
    makeClip(folder, 'h264.mp4');
    makeClip(folder, 'av1.mkv');
    const path = process.env['PATH'];
    process.env['PATH'] = folder; // no ffmpeg here; node itself is run by its path
    t.teardown(() => (process.env['PATH'] = path));
    const wasm = await video(['h264.mp4', '-o', 'wasm.mp4', '--scale', '2', '--segment', '9'], {
      cwd: folder,
    });
    const av1 = await video(['av1.mkv', '-o', 'av1-large.mkv'], { cwd: folder });
    process.env['PATH'] = path;
    t.is(wasm.code, 0, wasm.stderr);
    t.regex(
      wasm.stderr,
      /^ffmpeg 5\.1\.4 \(WebAssembly, built in\): it encodes about 6 .* Install ffmpeg/,
    );
    t.is(av1.code, 2);
    t.regex(
      av1.stderr,
      /av1\.mkv: expected a codec that the built-in ffmpeg decodes, got AV1\. Install ffmpeg/,
    );
    const native = await video(['h264.mp4', '-o', 'native.mp4', '--scale', '2', '--segment', '9'], {
      cwd: folder,
    });
    t.is(native.code, 0, native.stderr);
    const [a, b] = [join(folder, 'wasm.mp4'), join(folder, 'native.mp4')];
    t.deepEqual(times(a), times(b));
    t.is(hashes(a, 'a', 'copy'), hashes(b, 'a', 'copy'));
    const { streams } = ffprobe(a, '-show_streams') as unknown as { streams: { width?: number }[] };
    t.is(streams[0]!.width, 128);
  },
);

ffmpegTest('frames: yuv4mpeg goes in on stdin and out on stdout', async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(folder, '-f lavfi -i testsrc2=s=64x36:r=25:d=0.4 -pix_fmt yuv444p in.y4m');
  const options = { file, stdin: 'pipe', binary: true } as const;
  const { process: child, ended } = startCli(['frames', '--scale', '2'], options);
  child.stdin!.end(readFileSync(join(folder, 'in.y4m')));
  const { code, stdout, stderr } = await ended;
  t.is(code, 0, stderr);
  writeFileSync(join(folder, 'out.y4m'), Buffer.from(stdout, 'latin1'));
  const { streams } = ffprobe(join(folder, 'out.y4m'), '-show_streams') as unknown as {
    streams: Record<string, unknown>[];
  };
  t.like(streams[0], { width: 128, height: 72, pix_fmt: 'yuv444p', r_frame_rate: '25/1' });
  t.is(times(join(folder, 'out.y4m')).length, 10);
});

test('a folder of stills goes to another under the same names, and is resumed', async (t) => {
  const folder = temporaryFolder(t);
  const { drawPicture } = await import('../helpers/picture-files.ts');
  mkdirSync(join(folder, 'in'));
  for (const name of ['f1.png', 'f2.png', 'f10.png']) await drawPicture(join(folder, 'in', name));
  const first = await runCli(['frames', 'in', '-o', 'out', '--scale', '2'], { file, cwd: folder });
  t.is(first.code, 0, first.stderr);
  t.deepEqual(readdirSync(join(folder, 'out')).sort(), ['f1.png', 'f10.png', 'f2.png']);
  const again = await runCli(['frames', 'in', '-o', 'out'], { file, cwd: folder });
  t.regex(again.stderr, /f1\.png: expected no such file yet, got one\. Give --resume/);
  const resumed = await runCli(['frames', 'in', '-o', 'out', '--resume'], { file, cwd: folder });
  t.is(resumed.code, 0, resumed.stderr);
});
