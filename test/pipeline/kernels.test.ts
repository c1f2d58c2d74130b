import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { gpuMode, openGpuKernels } from '../../src/image/color-kernels.ts';
import { makePicture, toPlanes } from '../../src/image/picture.ts';
import { statistics, momentsOfPicture } from '../../src/image/color-statistics.ts';
import { cpuKernels } from '../../src/image/color-kernels.ts';
import { finishRows } from '../../src/pipeline/finish.ts';
import { openKernels, probeKernels } from '../../src/pipeline/kernels.ts';
import { DeviceError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { random } from '../helpers/random.ts';

test('a probe decides, and is remembered', async (t) => {
  const file = join(temporaryFolder(t), 'kernels.json');
  const probe = await probeKernels(file);
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(probe)));
  t.is(probe.kind === 'gpu', probe.gpu !== undefined && probe.gpu < probe.cpu!);
  writeFileSync(file, '{"kind":"gpu","cpu":9,"gpu":1}');
  t.deepEqual(await probeKernels(file), { kind: 'gpu', cpu: 9, gpu: 1 });
});

test('plain loops are there on request, a GPU only where there is one', async (t) => {
  t.is((await openKernels('cpu')).kind, 'cpu');
  if (await gpuMode()) t.is((await openKernels('gpu')).kind, 'gpu');
  else await t.throwsAsync(openKernels('gpu'), { instanceOf: DeviceError, message: /gpu\.js/ });
});

for (const color of ['adain', 'wavelet'] as const) {
  test(`${color} gives the same pixels in both, to a level of 255`, async (t) => {
    const next = random(4);
    const [width, height] = [60, 44];
    const noise = () => Uint8Array.from({ length: width * height * 3 }, () => 60 + next() * 120);
    const [result, source] = [
      makePicture(width, height, 3, noise()),
      makePicture(width, height, 3, noise()),
    ];
    const of = (picture: typeof result) => statistics(momentsOfPicture(picture));
    const rules = {
      color,
      detail: 0.8,
      like: new Uint8Array(),
      statistics: { result: of(result), source: of(source) },
    };
    const gpu = await openGpuKernels('cpu');
    const [a, b] = [
      await finishRows(toPlanes(result, 'unit'), source, { ...rules, kernels: cpuKernels }),
      await finishRows(toPlanes(result, 'unit'), source, { ...rules, kernels: gpu }),
    ];
    await gpu.release();
    t.true(a.data.every((v, i) => Math.abs(v - b.data[i]!) <= 1));
    t.notDeepEqual(a.data, result.data);
  });
}
