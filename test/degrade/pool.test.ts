import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { paramsFrom, osediffParams } from '../../src/degrade/params.ts';
import { cachedReader } from '../../src/degrade/picture-cache.ts';
import { openSamples, type PoolOptions } from '../../src/degrade/pool.ts';
import { makeSample, pictureOf, type Sample, type SampleSpec } from '../../src/degrade/sample.ts';
import { makePicture, type Picture } from '../../src/image/picture.ts';
import { DeviceError, ShapeError, UsageError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture } from '../helpers/picture-files.ts';

/** Three small pictures, and samples of them. */
async function series(folder: string, changes: Partial<SampleSpec> = {}): Promise<SampleSpec> {
  const files = await Promise.all(
    [0, 1, 2].map((i) => drawPicture(join(folder, `${i}.png`), 70 + 9 * i, 66)),
  );
  return { files, crop: 64, params: osediffParams, seed: 21, ...changes };
}

/** Everything about some samples, in few letters. */
function digest(samples: readonly Sample[]): string {
  const hash = createHash('sha256');
  for (const { index, truth, input, low, plan } of samples) {
    hash.update(JSON.stringify([index, plan]));
    for (const { data } of [truth, input, low]) hash.update(data);
  }
  return hash.digest('hex');
}

async function take(spec: SampleSpec, count: number, options: PoolOptions): Promise<Sample[]> {
  const pool = openSamples(spec, options);
  const samples: Sample[] = [];
  for (let i = 0; i < count; i++) samples.push(await pool.next());
  await pool.close();
  return samples;
}

test('gives the same samples with no worker, with one, with two, and in another process', async (t) => {
  const spec = await series(temporaryFolder(t));
  const here = await take(spec, 7, { workers: 0 });
  t.deepEqual(
    here.map(({ index }) => index),
    [0, 1, 2, 3, 4, 5, 6],
  );
  t.is(digest(await take(spec, 7, { workers: 1 })), digest(here));
  t.is(digest(await take(spec, 7, { workers: 2, ahead: 5 })), digest(here));
  const child = fileURLToPath(new URL('sample-child.ts', import.meta.url));
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=osediff-source'];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...flags,
    child,
    JSON.stringify(spec),
  ]);
  const { low, input } = here[0]!;
  const bytes = createHash('sha256').update(low.data).update(input.data).digest('hex');
  t.is(stdout.trim(), bytes);
});

test('a resumed series goes on where it was', async (t) => {
  const spec = await series(temporaryFolder(t), { crop: 32 });
  const whole = await take(spec, 6, { workers: 0 });
  t.is(digest(await take(spec, 2, { workers: 2, start: 4 })), digest(whole.slice(4)));
});

test('another seed gives other samples', async (t) => {
  const spec = await series(temporaryFolder(t), { crop: 32 });
  const [a] = await take(spec, 1, { workers: 0 });
  const [b] = await take({ ...spec, seed: 22 }, 1, { workers: 0 });
  t.notDeepEqual(a!.plan, b!.plan);
  t.notDeepEqual(a!.truth.data, b!.truth.data);
});

test('samples have the sizes of the crop and the scale', async (t) => {
  const params = paramsFrom({ scale: 2 });
  const spec = await series(temporaryFolder(t), { crop: 48, params, jpeg: 'real' });
  const [{ truth, input, low }] = (await take(spec, 1, { workers: 0 })) as [Sample];
  t.deepEqual(
    [truth.shape, input.shape, low.shape],
    [
      [3, 48, 48],
      [3, 48, 48],
      [3, 24, 24],
    ],
  );
});

test('every picture comes once an epoch, in an order that changes', (t) => {
  const epoch = (n: number) => Array.from({ length: 20 }, (_, i) => pictureOf(1, 20 * n + i, 20));
  for (const n of [0, 1, 2]) {
    t.deepEqual(
      epoch(n).toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i),
    );
  }
  t.notDeepEqual(epoch(0), epoch(1));
  t.deepEqual(epoch(0), epoch(0));
});

/** A picture whose samples tell their place: red is x, green is y. */
function places(width: number, height: number): Picture {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 7], 3 * i);
  return makePicture(width, height, 3, data);
}

test('crops lie anywhere in the picture, and every other one is mirrored', async (t) => {
  const picture = places(21, 40);
  const spec = { files: ['a'], crop: 16, params: osediffParams, seed: 3 };
  const seen = { left: new Set<number>(), top: new Set<number>(), mirrored: 0 };
  for (let index = 0; index < 60; index++) {
    const { truth } = await makeSample(spec, index, () => Promise.resolve(picture));
    const at = (c: number, y: number, x: number) =>
      Math.round(truth.data[(c * 16 + y) * 16 + x]! * 255);
    const mirrored = at(0, 0, 1) < at(0, 0, 0);
    seen.mirrored += Number(mirrored);
    seen.left.add(mirrored ? at(0, 0, 15) : at(0, 0, 0));
    seen.top.add(at(1, 0, 0));
    t.is(Math.abs(at(0, 5, 15) - at(0, 5, 0)), 15);
    t.is(at(1, 15, 3) - at(1, 0, 3), 15);
  }
  t.deepEqual(
    [...seen.left].toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5],
  );
  t.true(seen.top.size > 15 && Math.max(...seen.top) <= 24);
  t.true(seen.mirrored > 18 && seen.mirrored < 42);
});

test('a picture smaller than the crop is refused by name, and the series goes on', async (t) => {
  const folder = temporaryFolder(t);
  const spec = await series(folder, { crop: 68 }); // they are 66 high
  const tall = await drawPicture(join(folder, 'tall.png'), 80, 80);
  const pool = openSamples({ ...spec, files: [...spec.files, tall] }, { workers: 2 });
  t.teardown(() => pool.close());
  const outcomes = await Promise.allSettled([pool.next(), pool.next(), pool.next(), pool.next()]);
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.is(refused.length, 3);
  for (const { reason } of refused) {
    t.true(reason instanceof ShapeError);
    t.regex(
      (reason as Error).message,
      /\d\.png: expected at least 68x68 pixels for a crop, got \d\dx66\./,
    );
  }
});

test('refuses a series that cannot be', async (t) => {
  const spec = { files: [], crop: 64, params: osediffParams, seed: 1 };
  t.throws(() => openSamples(spec), { instanceOf: UsageError });
  await t.throwsAsync(
    makeSample({ ...spec, files: ['a'], crop: 30 }, 0, () => Promise.resolve(places(64, 64))),
    { instanceOf: ShapeError, message: 'crop: expected a multiple of the scale 4, got 30.' },
  );
});

test('a closed pool says so', async (t) => {
  const pool = openSamples(await series(temporaryFolder(t)), { workers: 1 });
  await pool.next();
  await pool.close();
  await t.throwsAsync(pool.next(), { instanceOf: DeviceError, message: /a thread has ended/ });
});

test('the cache keeps what comes first and stays within its limit', async (t) => {
  const reads: string[] = [];
  const read = cachedReader(1000, (file) => {
    reads.push(file);
    return Promise.resolve(places(10, file === 'large' ? 30 : 10)); // 900 and 300 bytes
  });
  for (const file of ['a', 'b', 'large', 'a', 'large', 'c', 'b', 'd', 'c', 'd']) await read(file);
  t.deepEqual(reads, ['a', 'b', 'large', 'large', 'c', 'd', 'd']);
});
