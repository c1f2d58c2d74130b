import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { readPicture } from '../../src/image/codec.ts';
import { upscaleFiles, type BatchListener } from '../../src/pipeline/batch.ts';
import { ShapeError, UsageError, WeightError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { nearestLoader } from '../helpers/nearest-upscaler.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

/** A listener that writes down what it hears. */
function log(): { listener: BatchListener; lines: string[] } {
  const lines: string[] = [];
  const name = (path: string): string => path.replaceAll('\\', '/').split('/').at(-1)!;
  return {
    lines,
    listener: {
      onPlanned: (pictures) =>
        void lines.push(`planned ${pictures.map((p) => name(p.input)).join(' ')}`),
      onDone: (index, { output, width, height }) =>
        void lines.push(`done ${index} ${name(output)} ${width}x${height}`),
      onFailed: (input, error) => void lines.push(`failed ${name(input)} ${(error as Error).name}`),
    },
  };
}

test('loads the model once and frees it at the end', async (t) => {
  const folder = temporaryFolder(t);
  await drawPicture(join(folder, 'in', 'a.png'), 5, 3);
  await drawPicture(join(folder, 'in', 'b.jpg'), 4, 4);
  const { listener, lines } = log();
  const load = nearestLoader({ onDispose: () => void lines.push('disposed') });
  const summary = await upscaleFiles([join(folder, 'in')], {
    out: join(folder, 'out'),
    load: () => {
      lines.push('load');
      return load();
    },
    upscale: { scale: 2 },
    listener,
  });
  t.deepEqual(summary, { done: 2, failed: 0, skipped: 0 });
  t.deepEqual(lines, [
    'planned a.png b.jpg',
    'load',
    'done 0 a.png 10x6',
    'done 1 b.jpg 8x8',
    'disposed',
  ]);
});

test('what the upscaler gives is what the file holds', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'), 5, 3);
  await upscaleFiles([input], { load: nearestLoader(), upscale: { scale: 1 } });
  t.deepEqual(await readPicture(join(folder, 'a-x1.png')), await readPicture(input));
});

test('without a picture that passes its checks no model is loaded', async (t) => {
  const folder = temporaryFolder(t);
  const { listener, lines } = log();
  const load = (): never => {
    throw new Error('loaded');
  };
  const inputs = [writeText(join(folder, 'a.png')), join(folder, 'missing.png')];
  t.deepEqual(await upscaleFiles(inputs, { load, listener }), { done: 0, failed: 2, skipped: 0 });
  t.deepEqual(lines, ['failed missing.png PathError', 'failed a.png FormatError', 'planned ']);
});

test('a picture that fails in the model does not stop the rest', async (t) => {
  const folder = temporaryFolder(t);
  const inputs = [];
  for (const [name, width] of [
    ['a', 3],
    ['b', 4],
    ['c', 3],
  ] as const) {
    inputs.push(await drawPicture(join(folder, `${name}.png`), width, 2));
  }
  const load = nearestLoader({
    before: ({ width }) => {
      if (width === 4) throw new ShapeError('no');
    },
  });
  const { listener, lines } = log();
  t.deepEqual(await upscaleFiles(inputs, { load, listener }), { done: 2, failed: 1, skipped: 0 });
  t.deepEqual(lines.slice(1), [
    'done 0 a-x4.png 12x8',
    'failed b.png ShapeError',
    'done 2 c-x4.png 12x8',
  ]);
});

test('an option that no picture can be upscaled with ends the batch', async (t) => {
  const folder = temporaryFolder(t);
  const inputs = [
    await drawPicture(join(folder, 'a.png')),
    await drawPicture(join(folder, 'b.png')),
  ];
  const load = nearestLoader({
    before: () => {
      throw new UsageError('tiles: no.');
    },
  });
  const { listener, lines } = log();
  await t.throwsAsync(upscaleFiles(inputs, { load, listener }), { instanceOf: UsageError });
  t.deepEqual(lines, ['planned a.png b.png']);
});

test('a model that does not load ends the batch with its own error', async (t) => {
  const folder = temporaryFolder(t);
  const inputs = [
    await drawPicture(join(folder, 'a.png')),
    await drawPicture(join(folder, 'b.png')),
  ];
  const load = async (): Promise<never> => {
    throw new WeightError('no weights');
  };
  await t.throwsAsync(upscaleFiles(inputs, { load }), { instanceOf: WeightError });
});

test('a file that appeared since the plan is not replaced', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'));
  const output = join(folder, 'a-x4.png');
  const load = nearestLoader({ before: () => void writeText(output, 'new') });
  const { listener, lines } = log();
  t.deepEqual(await upscaleFiles([input], { load, listener }), { done: 0, failed: 1, skipped: 0 });
  t.is(lines.at(-1), 'failed a.png PathError');
});

test('aborting ends the batch with the reason and leaves no file of the picture', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'));
  const controller = new AbortController();
  const reason = new Error('enough');
  const { listener } = log();
  const batch = upscaleFiles([input], {
    out: join(folder, 'out'),
    load: nearestLoader({ step: 60_000 }),
    signal: controller.signal,
    listener: { ...listener, onProgress: () => controller.abort(reason) },
  });
  t.is(await t.throwsAsync(batch), reason);
  t.false(existsSync(join(folder, 'out')));
  t.deepEqual(readdirSync(folder), ['a.png']);
});

test('aborting while the model loads upscales nothing and frees it', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'));
  const controller = new AbortController();
  const { listener, lines } = log();
  const batch = upscaleFiles([input], {
    load: () => {
      controller.abort();
      return nearestLoader({
        before: () => void lines.push('upscaled'),
        onDispose: () => void lines.push('disposed'),
      })();
    },
    signal: controller.signal,
    listener,
  });
  await t.throwsAsync(batch, { any: true, name: 'AbortError' });
  t.deepEqual(lines, ['planned a.png', 'disposed']);
});

test('an abort waits for the upscaler to let go before it is freed', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'));
  const controller = new AbortController();
  const steps: string[] = [];
  const batch = upscaleFiles([input], {
    load: async () => ({
      model: { name: 'busy', device: 'cpu', precision: 'fp32' },
      upscale: async (_, { signal } = {}) => {
        controller.abort();
        await sleep(50);
        steps.push('tile done');
        signal?.throwIfAborted();
        throw new Error('not aborted');
      },
      dispose: async () => void steps.push('freed'),
    }),
    signal: controller.signal,
  });
  await t.throwsAsync(batch, { any: true, name: 'AbortError' });
  t.deepEqual(steps, ['tile done', 'freed']);
});

test('nothing is checked once it is aborted', async (t) => {
  const folder = temporaryFolder(t);
  const input = await drawPicture(join(folder, 'a.png'));
  const batch = upscaleFiles([input], { load: nearestLoader(), signal: AbortSignal.abort() });
  await t.throwsAsync(batch, { any: true, name: 'AbortError' });
  t.deepEqual(readdirSync(folder), ['a.png']);
});
