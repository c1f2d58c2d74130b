/** @file The Frechet distance against closed forms, and against scipy's matrix root. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { type Features, frechetDistance } from '../../src/measures/frechet.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { random } from '../helpers/random.ts';

function draw(count: number, size: number, seed: number): Features {
  const next = random(seed);
  const data = Float64Array.from({ length: count * size }, () => next() + next() - next());
  return { count, size, data };
}

/** Sum of the features' variances. */
function trace({ count, size, data }: Features): number {
  let sum = 0;
  for (let k = 0; k < size; k++) {
    const column = Array.from({ length: count }, (_, i) => data[i * size + k]!);
    const mean = column.reduce((a, v) => a + v, 0) / count;
    sum += column.reduce((a, v) => a + (v - mean) ** 2, 0) / (count - 1);
  }
  return sum;
}

const scaled = test.macro({
  title: (_, count: number, size: number) =>
    `features times 3, plus 2: |m|^2 + (3 - 1)^2 tr S (${count}x${size})`,
  exec(t, count: number, size: number) {
    const a = draw(count, size, size);
    const b = { ...a, data: a.data.map((v) => 3 * v + 2) as Float64Array };
    let between = 0;
    for (let k = 0; k < size; k++) {
      let mean = 0;
      for (let i = 0; i < count; i++) mean += a.data[i * size + k]! / count;
      between += (2 * mean + 2) ** 2;
    }
    const expected = between + 4 * trace(a);
    t.true(Math.abs(frechetDistance(a, b) - expected) < 1e-9 * expected);
    t.true(Math.abs(frechetDistance(a, a)) < 1e-9 * trace(a));
  },
});
test(scaled, 40, 6); // more pictures than features
test(scaled, 6, 6);
test(scaled, 5, 30); // fewer

test('one feature: squared difference of means, and of deviations', (t) => {
  const a = { count: 3, size: 1, data: Float64Array.of(0, 1, 2) };
  const b = { count: 2, size: 1, data: Float64Array.of(4, 10) };
  t.true(Math.abs(frechetDistance(a, b) - (36 + (1 - Math.sqrt(18)) ** 2)) < 1e-12);
});

test('sets of one row, or of different features, are refused', (t) => {
  t.throws(() => frechetDistance(draw(1, 4, 0), draw(5, 4, 0)), { instanceOf: ShapeError });
  t.throws(() => frechetDistance(draw(5, 4, 0), draw(5, 3, 0)), { instanceOf: ShapeError });
});

const file = golden('metrics/frechet.json');
const withVectors = file === undefined ? test.skip : test;

withVectors('(needs ../shared) equals the vectors', (t) => {
  const cases = JSON.parse(readFileSync(file!, 'utf8')) as Record<
    string,
    { pyiqa: number; by_singular_values: number }
  >;
  const tensors = readGolden(golden('metrics/frechet.safetensors')!);
  const features = (key: string): Features => {
    const { shape, data } = tensors.get(key)!;
    return { count: shape[0]!, size: shape[1]!, data: data as Float32Array };
  };
  for (const [name, expected] of Object.entries(cases)) {
    const distance = frechetDistance(features(`${name}.a`), features(`${name}.b`));
    t.true(Math.abs(distance - expected.by_singular_values) < 1e-10);
    t.true(Math.abs(distance - expected.pyiqa) < 2e-6); // by scipy's matrix root
  }
});
