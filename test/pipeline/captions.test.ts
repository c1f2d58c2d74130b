/** @file Captions beside pictures as their prompts. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { upscaleFiles } from '../../src/pipeline/batch.ts';
import { captioned, readSidecar, sidecarOf } from '../../src/pipeline/sidecar.ts';
import { FormatError, PathError, UsageError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { nearestLoader } from '../helpers/nearest-upscaler.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

test('a caption has the name of its picture', (t) => {
  t.is(sidecarOf(join('a.b', 'photo.tar.png')), join('a.b', 'photo.tar.txt'));
  t.is(sidecarOf(join('a.b', 'photo')), join('a.b', 'photo.txt'));
});

test('lines of a caption are joined, the byte order mark is left out', async (t) => {
  const folder = temporaryFolder(t);
  writeText(join(folder, 'a.txt'), '\ufeffa red car,\r\n  on a\troad \n\n');
  t.is(await readSidecar(join(folder, 'a.png')), 'a red car, on a road');
});

test("the caller's own words come after the caption", (t) => {
  t.is(captioned('a car', 'sharp'), 'a car, sharp');
  t.is(captioned('', 'sharp'), 'sharp');
  t.is(captioned('a car', ''), 'a car');
});

test('a missing, a long and a binary caption are refused by name', async (t) => {
  const folder = temporaryFolder(t);
  const picture = join(folder, 'a.png');
  await t.throwsAsync(readSidecar(picture), {
    instanceOf: PathError,
    message: /a\.png: expected its caption in .*a\.txt.*osediff tag --write/,
  });
  writeText(join(folder, 'a.txt'), 'x'.repeat(64 * 1024 + 1));
  await t.throwsAsync(readSidecar(picture), { instanceOf: FormatError, message: /at most 65536/ });
  await writeFile(join(folder, 'a.txt'), Buffer.from([0xff, 0xfe, 0x61]));
  await t.throwsAsync(readSidecar(picture), { instanceOf: FormatError, message: /UTF-8/ });
});

test('every picture of a batch gets its own caption; one without fails before a model loads', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['a', 'b', 'c']) await drawPicture(join(folder, 'in', `${name}.png`), 5, 3);
  writeText(join(folder, 'in', 'a.txt'), 'a cat');
  writeText(join(folder, 'in', 'c.txt'), 'a cup');
  const prompts: (string | undefined)[] = [];
  const failed: string[] = [];
  let loaded = false;
  const load = nearestLoader({ before: (_, { prompt }) => void prompts.push(prompt) });
  const summary = await upscaleFiles([join(folder, 'in')], {
    out: join(folder, 'out'),
    captions: true,
    upscale: { scale: 2, prompt: 'sharp' },
    load: () => {
      loaded = true;
      return load();
    },
    listener: {
      onFailed: (input, error) => {
        t.false(loaded);
        failed.push(`${input.slice(-5)} ${(error as Error).name}`);
      },
    },
  });
  t.deepEqual(summary, { done: 2, failed: 1, skipped: 0 });
  t.deepEqual(prompts, ['a cat, sharp', 'a cup, sharp']);
  t.deepEqual(failed, ['b.png PathError']);
});

test('standard input has no caption beside it', async (t) => {
  const bytes = Buffer.from('never read');
  const failed: unknown[] = [];
  const summary = await upscaleFiles(['-'], {
    out: '-',
    captions: true,
    load: nearestLoader(),
    streams: { read: async () => bytes, write: async () => undefined },
    listener: { onFailed: (_, error) => void failed.push(error) },
  });
  t.is(summary.failed, 1);
  t.true(failed[0] instanceof UsageError);
});
