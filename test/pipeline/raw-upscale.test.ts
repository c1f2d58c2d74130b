import { openSync, closeSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { readPicture } from '../../src/image/codec.ts';
import { type Channels, makePicture, type Picture } from '../../src/image/picture.ts';
import { readVipsHeader, VIPS_HEADER_BYTES } from '../../src/image/vips-file.ts';
import { loadUpscaler } from '../../src/pipeline/upscaler.ts';
import { rawRows } from '../../src/pipeline/rows.ts';
import { resize } from '../../src/image/resample.ts';
import type { UpscaleOptions, Upscaler } from '../../src/pipeline/types.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { random } from '../helpers/random.ts';

let up: Upscaler;
test.before(async () => {
  up = await loadUpscaler({ device: 'cpu' });
});
test.after.always(() => up.dispose());

/** A picture with slopes and noise; alpha, where there is one, in three steps. */
function pattern(width: number, height: number, channels: Channels, wide: boolean): Picture {
  const next = random(channels);
  const top = wide ? 65535 : 255;
  const data = new (wide ? Uint16Array : Uint8Array)(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    const alpha = channels % 2 === 0 && i % channels === channels - 1;
    data[i] =
      top *
      (alpha
        ? Math.floor((3 * x) / width) / 2
        : 0.3 + (0.4 * x) / width + 0.2 * next() * ((y >> 3) % 2));
  }
  return makePicture(width, height, channels, data);
}

/** The picture as sharp decodes it into a file. */
async function decoded(t: ExecutionContext, { width, height, channels, data }: Picture) {
  const file = join(temporaryFolder(t), 'source.v');
  const wide = data instanceof Uint16Array;
  const space = wide ? (channels < 3 ? 'grey16' : 'rgb16') : channels < 3 ? 'b-w' : 'srgb';
  await sharp(data as Uint8Array, { raw: { width, height, channels } })
    .toColourspace(space)
    .toFile(file);
  const header = readVipsHeader(file);
  t.deepEqual(header, { width, height, channels, depth: wide ? 'uint16' : 'uint8' });
  return { file, offset: VIPS_HEADER_BYTES, ...header };
}

const agrees = test.macro({
  title: (_, channels: Channels, wide: boolean, format: string, options: UpscaleOptions) =>
    `file to file as in memory: ${format}, ${channels} channels of ${wide ? 16 : 8} bits, ${JSON.stringify(options)}`,
  async exec(
    t: ExecutionContext,
    channels: Channels,
    wide: boolean,
    format: 'png' | 'tiff' | 'raw',
    options: UpscaleOptions,
  ) {
    const picture = pattern(70, 90, channels, wide);
    const source = await decoded(t, picture);
    const folder = temporaryFolder(t);
    const file = join(folder, format === 'raw' ? 'x.v' : 'x');
    const bits = wide ? 16 : 8;
    const phases = new Set<string>();
    const size = await up.upscaleRaw!(
      {
        source,
        target: { file, format, bits, metadata: { density: 300 } },
        scratch: join(folder, 's'),
      },
      { ...options, onProgress: ({ phase }) => void phases.add(phase) },
    );
    const whole = await up.upscale(picture, options);
    t.deepEqual([size.width, size.height], [whole.width, whole.height]);
    t.deepEqual([...phases], ['tiles', 'finish']);
    const result = await readPicture(
      format === 'raw'
        ? await sharp(file)
            .toColourspace(channels < 3 ? 'b-w' : 'srgb')
            .png()
            .toBuffer()
        : file,
    );
    t.is(result.channels, channels);
    let worst = 0;
    for (const [i, v] of whole.data.entries()) {
      // What alpha hides has no colour that matters: bands fill it with what they see.
      const alpha = i - (i % channels) + channels - 1;
      if (channels % 2 === 0 && whole.data[alpha] === 0) continue;
      worst = Math.max(worst, Math.abs(v - result.data[i]!));
    }
    // The scratch file's steps are far below a level of 8 bits, and two levels of 16.
    t.true(worst <= (wide ? 4 : 1), `${worst}`);
  },
});
test(agrees, 3, false, 'png', { tile: 128, overlap: 32 });
test(agrees, 3, false, 'tiff', { tile: 128, overlap: 32, color: 'wavelet' });
test(agrees, 4, false, 'png', { scale: 2.5, detail: 0.5 });
test(agrees, 1, true, 'tiff', { tile: 128, overlap: 32, color: 'none' });
test(agrees, 4, true, 'png', { width: 200, tile: 128 });
test(agrees, 2, false, 'raw', { scale: 1 });

test('rows of a raw file are those of the enlarged picture, asked for in any order', async (t) => {
  const picture = pattern(20, 30, 3, false);
  const { file, ...source } = await decoded(t, picture);
  const whole = resize(picture, 80, 120);
  const fd = openSync(file, 'r');
  const rows = rawRows({ ...source, fd }, { width: 80, height: 120 });
  for (const [from, to] of [
    [0, 40],
    [30, 70],
    [60, 61],
    [61, 120],
    [10, 20],
  ] as const) {
    t.deepEqual(rows.color(from, to).data, whole.data.slice(from * 240, to * 240));
  }
  closeSync(fd);
});

test('an abort ends it, and the model still works', async (t) => {
  const source = await decoded(t, pattern(200, 200, 3, false));
  const folder = temporaryFolder(t);
  const controller = new AbortController();
  const run = up.upscaleRaw!(
    {
      source,
      target: { file: join(folder, 'x.png'), format: 'png', bits: 8, metadata: {} },
      scratch: join(folder, 's'),
    },
    { tile: 256, signal: controller.signal, onProgress: () => controller.abort() },
  );
  await t.throwsAsync(run, { any: true, name: 'AbortError' });
  t.false(readdirSync(folder).includes('x.png'));
  t.is((await up.upscale(pattern(8, 8, 3, false))).width, 32);
});
