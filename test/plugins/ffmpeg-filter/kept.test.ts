import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCli } from '../../helpers/cli.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { clips, ffmpeg, ffmpegTest, ffprobe, hashes, hasFfmpeg, makeClip, times } from './clips.ts';

const child = new URL('../../helpers/video-child.ts', import.meta.url).pathname;

/** Fields of a stream that the result shares with the source. */
const streamFields = [
  'codec_type',
  'codec_name',
  'profile',
  'pix_fmt',
  'sample_aspect_ratio',
  'color_range',
  'color_space',
  'color_transfer',
  'color_primaries',
  'field_order',
  'start_time',
  'channels',
  'sample_rate',
];

interface Probe {
  readonly streams: readonly Record<string, unknown>[];
  readonly chapters: readonly Record<string, unknown>[];
  readonly format: { readonly tags?: Readonly<Record<string, string>> };
}

/** What must agree between a source and its result. */
function kept(file: string): unknown {
  const { streams, chapters, format } = ffprobe(
    file,
    '-show_streams',
    '-show_chapters',
    '-show_format',
  ) as unknown as Probe;
  return {
    title: format.tags?.['title'],
    chapters: chapters.map(({ start_time, end_time, tags }) => ({ start_time, end_time, tags })),
    streams: streams.map((stream) => {
      const tags = (stream['tags'] ?? {}) as Record<string, string>;
      const { language, filename, mimetype, title } = tags;
      return {
        ...Object.fromEntries(streamFields.map((field) => [field, stream[field]])),
        language,
        filename,
        mimetype,
        title,
        disposition: stream['disposition'],
      };
    }),
  };
}

async function keeps(t: ExecutionContext, name: string): Promise<void> {
  const folder = temporaryFolder(t);
  const source = makeClip(folder, name);
  const result = join(folder, `large-${name}`);
  const { code, stderr } = await runCli(
    ['video', source, '-o', result, '--scale', '2', '--segment', '6'],
    {
      file: child,
    },
  );
  t.is(code, 0, stderr);
  t.deepEqual(kept(result), kept(source));
  t.deepEqual(times(result), times(source), 'times of all frames');
  const { streams } = ffprobe(source, '-show_streams') as unknown as Probe;
  for (const [index, stream] of streams.entries()) {
    if (stream['codec_type'] === 'audio') {
      t.is(hashes(result, String(index), 'copy'), hashes(source, String(index), 'copy'));
      t.deepEqual(times(result, String(index)), times(source, String(index)), 'times of sound');
    }
    if (stream['width'] !== undefined) {
      const large = (ffprobe(result, '-show_streams') as unknown as Probe).streams[index]!;
      t.is(large['width'], 2 * (stream['width'] as number));
      t.is(large['height'], 2 * (stream['height'] as number));
    }
  }
}

for (const name of Object.keys(clips)) {
  ffmpegTest(`${name}: all but the size is kept`, (t) => keeps(t, name));
}

ffmpegTest('hdr.mkv: mastering display and light level are kept', async (t) => {
  const folder = temporaryFolder(t);
  const source = makeClip(folder, 'hdr.mkv');
  const result = join(folder, 'large.mkv');
  const { code, stderr } = await runCli(['video', source, '-o', result], { file: child });
  t.is(code, 0, stderr);
  const sideData = (file: string): unknown => {
    const { frames } = ffprobe(file, '-show_frames', '-read_intervals', '%+#1');
    const [frame] = frames as unknown as { side_data_list: Record<string, unknown>[] }[];
    return frame!.side_data_list.filter(({ side_data_type }) =>
      /Mastering|light/.test(String(side_data_type)),
    );
  };
  t.is((sideData(source) as unknown[]).length, 2);
  t.deepEqual(sideData(result), sideData(source));
});

ffmpegTest('a rotated clip comes out upright, without its matrix', async (t) => {
  const folder = temporaryFolder(t);
  const source = makeClip(folder, 'h264.mp4');
  const turned = join(folder, 'turned.mp4');
  ffmpeg(folder, '-i h264.mp4 -c copy -metadata:s:v:0 rotate=90', turned);
  const result = join(folder, 'large.mp4');
  const { code, stderr } = await runCli(['video', turned, '-o', result, '--scale', '2'], {
    file: child,
  });
  t.is(code, 0, stderr);
  const { streams } = ffprobe(result, '-show_streams') as unknown as Probe;
  t.deepEqual([streams[0]!['width'], streams[0]!['height']], [72, 128]);
  t.is(streams[0]!['side_data_list'], undefined);
  t.deepEqual(times(result), times(source));
});

ffmpegTest('cover art stays cover art', async (t) => {
  const folder = temporaryFolder(t);
  makeClip(folder, 'h264.mp4');
  ffmpeg(folder, '-f lavfi -i color=red:s=32x32 -frames:v 1 c.png');
  ffmpeg(
    folder,
    '-i h264.mp4 -i c.png -map 0 -map 1 -c copy -disposition:v:1 attached_pic cover.mp4',
  );
  const result = join(folder, 'large.mp4');
  const args = ['video', join(folder, 'cover.mp4'), '-o', result];
  const { code, stderr } = await runCli(args, { file: child });
  t.is(code, 0, stderr);
  t.is(hashes(result, '2', 'copy'), hashes(join(folder, 'cover.mp4'), '2', 'copy'));
  const { streams } = ffprobe(result, '-show_streams') as unknown as Probe;
  t.like(streams[2]!['disposition'], { attached_pic: 1 });
  t.is(streams[0]!['width'], 256);
});

ffmpegTest('interlaced video is refused, and deinterlaced on request', async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(
    folder,
    '-f lavfi -i testsrc2=s=64x36:r=50:d=0.4 -vf interlace -c:v libx264 -flags +ildct+ilme i.mp4',
  );
  const source = join(folder, 'i.mp4');
  const result = join(folder, 'large.mp4');
  const refused = await runCli(['video', source, '-o', result], { file: child });
  t.is(refused.code, 2);
  t.regex(refused.stderr, /expected whole pictures, got interlaced ones\. Give --deinterlace\.\n$/);
  const done = await runCli(['video', source, '-o', result, '--deinterlace'], { file: child });
  t.is(done.code, 0, done.stderr);
  t.deepEqual(times(result), times(source));
});

ffmpegTest("frames are the stand-in's, in the right colours", async (t) => {
  const folder = temporaryFolder(t);
  ffmpeg(folder, '-f lavfi -i testsrc2=s=64x36:r=25:d=0.4 -c:v ffv1 -pix_fmt gbrp a.mkv');
  const result = join(folder, 'large.mkv');
  const { code, stderr } = await runCli(['video', join(folder, 'a.mkv'), '-o', result], {
    file: child,
  });
  t.is(code, 0, stderr);
  ffmpeg(
    folder,
    '-i a.mkv -vf scale=256:144:flags=neighbor -c:v ffv1 -pix_fmt gbrp',
    'expected.mkv',
  );
  t.is(hashes(result, 'v', 'frames'), hashes(join(folder, 'expected.mkv'), 'v', 'frames'));
});

test('clips are there to be tested', (t) => {
  t.true(Object.keys(clips).length > 20, hasFfmpeg ? 'with ffmpeg' : 'ffmpeg is missing here');
});
