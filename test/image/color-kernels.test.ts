import test from 'ava';
import { cpuKernels, openGpuKernels } from '../../src/image/color-kernels.ts';
import { difference } from '../helpers/difference.ts';
import { random } from '../helpers/random.ts';

test("gpu.js's kernels, in its emulation, give what the loops give", async (t) => {
  const gpu = await openGpuKernels('cpu');
  for (const [width, height] of [
    [37, 23],
    [5, 70],
    [128, 64],
  ] as const) {
    const next = random(width);
    const plane = Float32Array.from({ length: width * height }, () => next());
    const [a, b] = [
      await cpuKernels.low(plane, width, height),
      await gpu.low(plane, width, height),
    ];
    t.true(difference(a, b).largest < 1e-5);
    const [x, y] = [plane.slice(), plane.slice()];
    await cpuKernels.affine(x, 1.3, -0.2);
    await gpu.affine(y, 1.3, -0.2);
    t.true(difference(x, y).largest < 1e-6);
  }
  await gpu.release();
});
