import test from 'ava';
import { makeTile, tileTransform } from '../../src/degrade/fft.ts';
import { filter2d } from '../../src/degrade/filter.ts';
import { sharpen } from '../../src/degrade/usm.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { largestDifference } from './compare.ts';
import { noisePlanes, planesOf } from './pictures.ts';

/** The definition, pixel by pixel. */
function correlate(x: Tensor<'float32'>, kernel: Tensor<'float64'>): Float64Array {
  const [, height, width] = x.shape as [number, number, number];
  const size = kernel.shape[0]!;
  const radius = (size - 1) / 2;
  const reflect = (i: number, n: number): number => {
    if (n === 1) return 0;
    if (i < 0) return reflect(-i, n);
    return i >= n ? reflect(2 * (n - 1) - i, n) : i;
  };
  const out = new Float64Array(x.data.length);
  for (let o = 0; o < out.length; o++) {
    const [c, y] = [Math.floor(o / width / height), Math.floor(o / width) % height];
    for (let k = 0; k < kernel.data.length; k++) {
      const row = reflect(y + Math.floor(k / size) - radius, height);
      const column = reflect((o % width) + (k % size) - radius, width);
      out[o]! += kernel.data[k]! * x.data[(c * height + row) * width + column]!;
    }
  }
  return out;
}

const matchesDefinition = test.macro({
  title: (_, size: number, height: number, width: number) =>
    `filters ${height}x${width} with ${size}x${size} as the definition does`,
  exec(t, size: number, height: number, width: number) {
    const next = random(size);
    const weights = Float64Array.from({ length: size * size }, () => Math.fround(next() - 0.4));
    const kernel = tensor('float64', [size, size], weights);
    const x = noisePlanes(height, 3, height, width);
    const sum = weights.reduce((a, b) => a + Math.abs(b), 0);
    const difference = largestDifference(filter2d(x, kernel).data, correlate(x, kernel));
    t.true(difference < 1e-7 * Math.max(1, sum), String(difference));
  },
});
test(matchesDefinition, 1, 5, 4);
test(matchesDefinition, 7, 64, 58);
test(matchesDefinition, 9, 59, 117);
test(matchesDefinition, 21, 45, 90);
test(matchesDefinition, 21, 9, 7); // smaller than the kernel's radius
test(matchesDefinition, 5, 1, 1);
test(matchesDefinition, 35, 30, 41); // tiles of 256

test('a pulse leaves the picture as it is', (t) => {
  const pulse = new Float64Array(49);
  pulse[24] = 1;
  const x = noisePlanes(3, 3, 70, 33);
  t.true(largestDifference(filter2d(x, tensor('float64', [7, 7], pulse)).data, x.data) < 1e-7);
});

test('refuses kernels that have no middle', (t) => {
  const x = noisePlanes(1, 3, 8, 8);
  for (const shape of [[4, 4], [3, 5], [9]]) {
    const size = shape.reduce((a, b) => a * b, 1);
    t.throws(() => filter2d(x, tensor('float64', shape, new Float64Array(size))), {
      instanceOf: ShapeError,
      message: /^filter: expected a kernel \[K, K\], K odd, got/,
    });
  }
});

test('a transform and its inverse give a tile back, times its pixels', (t) => {
  const next = random(4);
  const tile = makeTile(16);
  tile.re.forEach((_, i) => (tile.re[i] = next()));
  tile.im.forEach((_, i) => (tile.im[i] = next()));
  const before = { re: tile.re.slice(), im: tile.im.slice() };
  const transform = tileTransform(16);
  transform.forward(tile);
  const energy = (a: Float64Array) => a.reduce((sum, v) => sum + v * v, 0);
  const [here, there] = [energy(before.re) + energy(before.im), energy(tile.re) + energy(tile.im)];
  t.true(Math.abs(there / (256 * here) - 1) < 1e-14); // Parseval
  transform.inverse(tile);
  t.true(
    largestDifference(
      tile.re,
      before.re.map((v) => v * 256),
    ) < 1e-12,
  );
  t.true(
    largestDifference(
      tile.im,
      before.im.map((v) => v * 256),
    ) < 1e-12,
  );
});

test('sharpening leaves flat areas alone and steepens an edge', (t) => {
  const edge = planesOf(3, 80, 120, (_c, _y, x) => (x < 60 ? 0.3 : 0.7));
  const y = sharpen(edge);
  const row = y.data.subarray(40 * 120, 41 * 120);
  t.true(row[57]! < 0.3 - 0.01);
  t.true(row[62]! > 0.7 + 0.01);
  const flat = planesOf(3, 60, 60, () => 0.42);
  t.true(largestDifference(sharpen(flat).data, flat.data) < 1e-6);
  const faint = planesOf(3, 60, 60, (_c, _y, x) => (x < 30 ? 0.5 : 0.503)); // under the threshold
  t.deepEqual(sharpen(faint).data, faint.data);
});
