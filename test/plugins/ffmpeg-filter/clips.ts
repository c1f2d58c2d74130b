/** @file Small clips of many kinds, made by ffmpeg for tests. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

/** Whether there is a native ffmpeg to make clips with. */
export const hasFfmpeg: boolean = spawnSync('ffmpeg', ['-version']).status === 0;

/** A test that needs ffmpeg on PATH, skipped by name where there is none. */
export function ffmpegTest(
  title: string,
  body: (t: ExecutionContext) => void | Promise<void>,
): void {
  if (hasFfmpeg) test.serial(title, body);
  else test.skip(`${title} (needs ffmpeg on PATH)`, body);
}

/** Run ffmpeg with space-separated words, in a folder. */
export function ffmpeg(folder: string, words: string, ...more: string[]): void {
  const args = ['-v', 'error', '-nostdin', '-y', ...words.split(/\s+/), ...more];
  execFileSync('ffmpeg', args, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] });
}

const picture = '-f lavfi -i testsrc2=s=64x36:r=25:d=0.6';
const sound = '-f lavfi -i sine=d=0.6';
const hdr =
  'hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:' +
  'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)';

/** Clips by their names, each with the words that make it. */
export const clips: Readonly<Record<string, string>> = {
  'h264.mp4': `${picture} ${sound} -c:v libx264 -c:a aac`,
  'long-gop.mkv': '-f lavfi -i testsrc2=s=320x180:r=25:d=1.2 -c:v libx264 -g 100',
  'hevc10.mp4': `${picture} -c:v libx265 -x265-params log-level=error -pix_fmt yuv420p10le`,
  'vp9.webm': `${picture} ${sound} -c:v libvpx-vp9 -c:a libopus`,
  'av1.mkv': `${picture} -c:v libaom-av1 -cpu-used 8 -crf 40`,
  'prores.mov': `${picture} -c:v prores_ks -profile:v 2`,
  'alpha.mov': `${picture} -vf format=rgba,colorchannelmixer=aa=0.5 -c:v prores_ks -pix_fmt yuva444p10le`,
  'ffv1.mkv': `${picture} -c:v ffv1 -level 3 -pix_fmt yuv422p`,
  'gray.mkv': `${picture} -vf format=gray -c:v ffv1`,
  'clip.gif': picture,
  'vfr.mp4': `${picture} -vf setpts=(N*1.37+N*N*0.11)/25/TB -fps_mode vfr -c:v libx264 -video_track_timescale 90000`,
  'ntsc.mp4': '-f lavfi -i testsrc2=s=64x36:r=30000/1001:d=0.5 -c:v libx264',
  'odd.mp4': '-f lavfi -i testsrc2=s=63x35:r=25:d=0.4 -c:v libx264 -pix_fmt yuv444p',
  'two-tracks.mkv': `${picture} ${sound} ${sound} -map 0 -map 1 -map 2 -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -disposition:a:1 forced -c:v libx264 -c:a aac`,
  'subtitles.mkv': `${picture} ${sound} -i s.srt -i m.txt -map 0 -map 1 -map 2 -map_metadata 3 -metadata:s:s:0 language=fra -attach f.ttf -metadata:s:t mimetype=application/x-truetype-font -c:v libx264 -c:a libopus -c:s srt`,
  'chapters.mp4': `${picture} ${sound} -i m.txt -map 0 -map 1 -map_metadata 2 -c:v libx264 -c:a aac`,
  'hdr.mkv': `${picture} -c:v libx265 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv -x265-params log-level=error:${hdr}`,
  'bt709.mp4': `${picture} -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv`,
  'full.mp4': `${picture} -c:v libx264 -pix_fmt yuvj420p -color_range pc`,
  'offset.mkv': `-itsoffset 0.523 ${picture} ${sound} -map 0 -map 1 -c:v libx264 -c:a aac`,
  'sar.mp4': `${picture} -c:v libx264 -aspect 4:3`,
  'stream.ts': `${picture} ${sound} -c:v libx264 -c:a aac`,
  'old.avi': `${picture} ${sound} -c:v mjpeg -c:a libmp3lame`,
  'one.mp4': `${picture} -c:v libx264 -frames:v 1`,
};

/** Make one of the clips. @returns its path */
export function makeClip(folder: string, name: string): string {
  writeFileSync(join(folder, 's.srt'), '1\n00:00:00,100 --> 00:00:00,500\nHello\n');
  writeFileSync(
    join(folder, 'm.txt'),
    ';FFMETADATA1\ntitle=A film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=One\n' +
      '[CHAPTER]\nTIMEBASE=1/1000\nSTART=300\nEND=600\ntitle=Two\n',
  );
  writeFileSync(join(folder, 'f.ttf'), 'not really a font');
  ffmpeg(folder, clips[name]!, name);
  return join(folder, name);
}

/** What ffprobe prints as JSON. */
export function ffprobe(file: string, ...show: string[]): Record<string, never[]> {
  const args = ['-v', 'error', ...show, '-of', 'json', `file:${file}`];
  return JSON.parse(execFileSync('ffprobe', args, { encoding: 'utf8' })) as Record<string, never[]>;
}

/** Times of a stream's packets, sorted. */
export function times(file: string, stream = 'V:0'): string[] {
  const { packets } = ffprobe(file, '-select_streams', stream, '-show_entries', 'packet=pts_time');
  return (packets as readonly { pts_time: string }[])
    .map(({ pts_time }) => pts_time)
    .sort((a, b) => Number(a) - Number(b));
}

/** MD5 of what a stream holds: of its packets, or of its decoded frames one by one. */
export function hashes(file: string, stream: string, codec: 'copy' | 'frames'): string {
  const how = codec === 'copy' ? ['-c', 'copy', '-f', 'md5'] : ['-f', 'framemd5'];
  const args = ['-v', 'error', '-i', `file:${file}`, '-map', `0:${stream}`, ...how, '-'];
  return execFileSync('ffmpeg', args, { encoding: 'utf8' }).replace(/^#.*\n/gm, '');
}
