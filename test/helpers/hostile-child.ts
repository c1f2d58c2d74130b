/** @file Upscales broken pictures in a process of its own: what crashes it, crashes only it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { upscaleFiles } from '../../src/pipeline/batch.ts';
import { OsediffError } from '../../src/tensor/errors.ts';
import { hostileFiles } from './hostile-files.ts';
import { nearestLoader } from './nearest-upscaler.ts';

const [folder, count, seed] = process.argv.slice(2) as [string, string, string];
mkdirSync(join(folder, 'in'));
const files = await hostileFiles(Number(count), Number(seed));
for (const { name, bytes } of files) writeFileSync(join(folder, 'in', name), bytes);

let last = performance.now();
const lap = (): number => {
  const now = performance.now();
  const time = now - last;
  last = now;
  return Math.round(time);
};
const say = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);
for (const { name } of files) {
  await upscaleFiles([join(folder, 'in', name)], {
    out: join(folder, 'out'),
    // A result of another format shows that what was read can be written, metadata and all.
    ...(name.endsWith('.bmp') ? { format: 'png' as const } : {}),
    load: nearestLoader(),
    upscale: { scale: 1 },
    listener: {
      onDone: () => say({ name, done: true, time: lap() }),
      onFailed: (_, error) => {
        const expected = error instanceof OsediffError;
        say({ name, done: false, expected, error: (error as Error).message, time: lap() });
      },
    },
  });
}
say({ end: true, rss: process.resourceUsage().maxRSS / 1024 });
