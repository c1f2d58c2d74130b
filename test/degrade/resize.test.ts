import test from 'ava';
import { resizeBy, resizeModes, resizeTo } from '../../src/degrade/resize.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { largestDifference } from './compare.ts';
import { noisePlanes, planesOf } from './pictures.ts';

const row = (...values: number[]) =>
  tensor('float32', [1, 1, values.length], new Float32Array(values));

test('bilinear places pixels by their middles', (t) => {
  t.deepEqual([...resizeTo(row(0, 1), 'bilinear', 1, 4).data], [0, 0.25, 0.75, 1]);
  t.deepEqual([...resizeTo(row(0, 1, 2, 5), 'bilinear', 1, 2).data], [0.5, 3.5]);
});

test('bicubic weighs four neighbours by the kernel of a = -0.75', (t) => {
  // Output 3 of 8 lies at 1.25: distances 1.25, 0.25, 0.75, 1.75.
  const weights = [-0.10546875, 0.87890625, 0.26171875, -0.03515625];
  const y = resizeTo(row(1, 10, 100, 1000), 'bicubic', 1, 8).data[3]!;
  const expected = weights[0]! + 10 * weights[1]! + 100 * weights[2]! + 1000 * weights[3]!;
  t.true(Math.abs(y - expected) < 1e-5, `${y} for ${expected}`);
});

test('area is the mean of all pixels that are touched', (t) => {
  t.deepEqual([...resizeTo(row(0, 1, 2, 6), 'area', 1, 2).data], [0.5, 4]);
  t.deepEqual([...resizeTo(row(1, 3, 5), 'area', 1, 2).data], [2, 4]); // the middle one counts twice
  t.deepEqual([...resizeTo(row(2, 4), 'area', 1, 4).data], [2, 2, 4, 4]);
});

test('a factor sets the coordinates, not only the size', (t) => {
  const x = planesOf(1, 10, 10, (_c, _y, x) => x);
  const byFactor = resizeBy(x, 'bilinear', 0.37).data.slice(0, 3); // three pixels, 1 / 0.37 apart
  t.true(
    largestDifference(byFactor, [0.5 / 0.37 - 0.5, 1.5 / 0.37 - 0.5, 2.5 / 0.37 - 0.5]) < 1e-6,
  );
  const bySize = resizeTo(x, 'bilinear', 1, 3).data;
  t.true(largestDifference(bySize, [5 / 3 - 0.5, 4.5, 25 / 3 - 0.5]) < 1e-6);
});

for (const mode of resizeModes) {
  test(`${mode} keeps a picture of its own size to the bit, and constants everywhere`, (t) => {
    const x = noisePlanes(1, 3, 13, 17);
    t.deepEqual(resizeBy(x, mode, 1).data, x.data);
    t.deepEqual(resizeTo(x, mode, 13, 17).data, x.data);
    const flat = planesOf(2, 9, 12, () => 0.3);
    for (const scale of [0.15, 0.7, 1.49]) {
      const y = resizeBy(flat, mode, scale);
      t.true(
        largestDifference(
          y.data,
          y.data.map(() => 0.3),
        ) < 1e-7,
      );
    }
  });

  test(`${mode} treats rows as columns and planes apart`, (t) => {
    const x = noisePlanes(2, 2, 11, 11);
    const turned = planesOf(2, 11, 11, (c, y, column) => x.data[(c * 11 + column) * 11 + y]!);
    const a = resizeTo(x, mode, 7, 7).data;
    const b = resizeTo(turned, mode, 7, 7).data;
    const back = a.map(
      (_, i) => b[(Math.floor(i / 49) * 7 + (i % 7)) * 7 + (Math.floor(i / 7) % 7)]!,
    );
    t.true(largestDifference(a, back) < 1e-6);
    const second = tensor('float32', [1, 11, 11], x.data.slice(121));
    t.deepEqual(resizeTo(second, mode, 7, 7).data, a.slice(49));
  });
}

test('refuses sizes at which nothing is left', (t) => {
  const message = /^resize: expected a size of at least 1x1, got/;
  const x = noisePlanes(1, 3, 4, 4);
  t.throws(() => resizeBy(x, 'bicubic', 0.2), { instanceOf: UsageError, message });
  t.throws(() => resizeTo(x, 'area', 0, 4), { instanceOf: UsageError, message });
  t.throws(() => resizeTo(x, 'area', 2, 2.5), { instanceOf: UsageError, message });
});
