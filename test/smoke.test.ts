import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { readPicture } from '../src/index.ts';
import { temporaryFolder } from './helpers/folder.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test("the README's command upscales the sample picture and prints the path", async (t) => {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const [, block] = /```sh\n(.*?)\n```/s.exec(readme)!;
  const args = block!.split('npx osediff ')[1]!.split(' ');
  const output = path.join(temporaryFolder(t), 'garden.png');
  args[args.indexOf('-o') + 1] = output;
  const loader = ['--conditions=osediff-source', '--import=tsx', 'src/cli/main.ts'];
  const stdout = execFileSync(process.execPath, [...loader, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.is(stdout.trim(), output);
  const { width, height, data } = await readPicture(output);
  t.deepEqual([width, height], [1024, 768]);
  const mean = Array.from(data).reduce((a, b) => a + b, 0) / data.length;
  const deviation = Math.sqrt(
    Array.from(data).reduce((a, b) => a + (b - mean) ** 2, 0) / data.length,
  );
  t.true(deviation > 30, `the result is nearly flat: ${deviation}`);
});

test('the bundled model beats bicubic on the sample picture, and is no noisier than the original', async (t) => {
  const sample = await readPicture(path.join(root, 'samples/garden.jpg'));
  const original = await readPicture(path.join(root, 'samples/garden-original.jpg'));
  const { loadUpscaler } = await import('../src/index.ts');
  const up = await loadUpscaler({ device: 'cpu' });
  const result = await up.upscale(sample);
  await up.dispose();
  const { resize } = await import('../src/image/resample.ts');
  const bicubic = resize(sample, 1024, 768);
  const { psnr } = await import('../src/measures/psnr.ts');
  const { toRgb } = await import('../src/measures/rgb.ts');
  const [ours, plain] = [result, bicubic].map((p) => psnr(toRgb(p), toRgb(original)));
  t.true(ours! > plain!, `${ours} against ${plain} dB`);
});
