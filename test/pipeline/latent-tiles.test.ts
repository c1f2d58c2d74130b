/** @file Noise predicted tile by tile: what is predicted, and how it is put together. */
import test from 'ava';
import { predictTiled } from '../../src/pipeline/latent-tiles.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';

function ramp(...shape: number[]): Tensor<'float32'> {
  const count = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => Math.sin(i)),
  );
}

const itself = (z: Tensor<'float32'>): Promise<Tensor<'float32'>> => Promise.resolve(z);

test('latents of no more than a tile are predicted at once', async (t) => {
  const sizes: string[] = [];
  const z = ramp(1, 4, 8, 32); // as many latents as in a tile of 16x16
  const eps = await predictTiled(z, { tile: 16, overlap: 4 }, (x) => {
    sizes.push(x.shape.join('x'));
    return itself(x);
  });
  t.deepEqual(sizes, ['1x4x8x32']);
  t.is(eps, z);
});

test('tiles that agree give what they agree on', async (t) => {
  const z = ramp(2, 3, 24, 40);
  const sizes = new Set<string>();
  const progress: string[] = [];
  const eps = await predictTiled(
    z,
    { tile: 16, overlap: 4 },
    (x) => {
      sizes.add(x.shape.join('x'));
      return itself(x);
    },
    (done, total) => progress.push(`${done}/${total}`),
  );
  t.deepEqual([...sizes], ['2x3x16x16']);
  t.deepEqual(progress, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  t.deepEqual(eps.shape, z.shape);
  t.true(eps.data.every((value, i) => Math.abs(value - z.data[i]!) < 1e-5));
});

test('tiles are no larger than the shorter side', async (t) => {
  const sizes = new Set<string>();
  await predictTiled(ramp(1, 4, 10, 60), { tile: 16, overlap: 4 }, (x) => {
    sizes.add(x.shape.join('x'));
    return itself(x);
  });
  t.deepEqual([...sizes], ['1x4x10x10']);
});

test('where tiles disagree the nearer middle has more weight', async (t) => {
  let tile = 0;
  const eps = await predictTiled(ramp(1, 1, 16, 28), { tile: 16, overlap: 4 }, (x) => {
    const value = tile++;
    return Promise.resolve({ ...x, data: x.data.map(() => value) });
  });
  // Tiles begin at columns 0 and 12: columns 12 to 15 are in both.
  const row = [...eps.data.subarray(8 * 28, 9 * 28)];
  t.true(row.slice(0, 12).every((value) => value === 0));
  t.true(row.slice(16).every((value) => Math.abs(value - 1) < 1e-6));
  const overlap = row.slice(12, 16);
  t.true(
    overlap.every((value, i) => value > 0 && value < 1 && (i === 0 || value > overlap[i - 1]!)),
  );
  t.true(overlap[1]! < 0.5 && overlap[2]! > 0.5);
});

test('what the prediction throws comes through', async (t) => {
  const predict = (): Promise<never> => Promise.reject(new Error('out of memory'));
  await t.throwsAsync(predictTiled(ramp(1, 1, 20, 20), { tile: 16, overlap: 4 }, predict), {
    message: 'out of memory',
  });
});
