/** @file AdamW against PyTorch's own numbers, clipping, averages and learning rates. */
import test from 'ava';
import { MovingAverage } from '../../src/autodiff/averages.ts';
import { accumulate, AdamW, clipNorm, globalNorm, scale } from '../../src/autodiff/optimizer.ts';
import { rateAt } from '../../src/autodiff/rates.ts';
import { UsageError, WeightError } from '../../src/tensor/errors.ts';

const arrays = (values: Record<string, readonly number[]>): Map<string, Float32Array> =>
  new Map(Object.entries(values).map(([name, list]) => [name, Float32Array.from(list)]));

const near = (got: Float32Array, expected: readonly number[], tolerance = 1e-6): boolean =>
  got.length === expected.length && expected.every((e, i) => Math.abs(e - got[i]!) <= tolerance);

/** What torch 2.15's AdamW(lr 0.1, weight decay 0.01) makes of these, step by step. */
const start = { p: [1, -2, 0.5], q: [0.25, -0.75] };
const steps = [
  { p: [0.5, -1, 0], q: [2, 1e-4] },
  { p: [-0.25, 3, 1], q: [-1, 2e-4] },
  { p: [0.125, 0.5, -2], q: [0.5, 0] },
];
const expected = [
  { p: [0.8990000486, -1.898000002, 0.4995000064], q: [0.1497500241, -0.849240005] },
  { p: [0.8714673519, -1.945520997, 0.4245868325], q: [0.1229665801, -0.9449028968] },
  { p: [0.8365529776, -1.991289258, 0.4555908442], q: [0.0888006985, -1.0185610056] },
];

test("AdamW steps as PyTorch's", (t) => {
  const parameters = arrays(start);
  const adam = new AdamW();
  for (const [i, gradients] of steps.entries()) {
    adam.step(parameters, arrays(gradients), 0.1);
    t.true(near(parameters.get('p')!, expected[i]!.p));
    t.true(near(parameters.get('q')!, expected[i]!.q));
  }
});

test('AdamW goes on from a kept state as if it had never stopped', (t) => {
  const parameters = arrays(start);
  const before = new AdamW();
  before.step(parameters, arrays(steps[0]!), 0.1);
  const after = new AdamW();
  for (const [name, state] of before.state) after.state.set(name, structuredClone(state));
  after.step(parameters, arrays(steps[1]!), 0.1);
  t.true(near(parameters.get('p')!, expected[1]!.p));
});

test('a parameter that is named twice is stepped twice', (t) => {
  const [once, twice] = [arrays({ p: [1] }), arrays({ p: [1] })];
  const gradients = arrays({ p: [1] });
  new AdamW().step(once, gradients, 0.1);
  new AdamW().step(twice, gradients, 0.1, ['p', 'p']);
  t.true(near(once.get('p')!, [0.899]));
  t.true(near(twice.get('p')!, [0.899 * 0.999 - 0.1]));
});

test('AdamW names the parameter whose gradient is missing', (t) => {
  const adam = new AdamW();
  t.throws(() => adam.step(arrays({ p: [1, 2] }), arrays({ p: [1] }), 0.1), {
    instanceOf: WeightError,
    message: /expected a gradient of "p" with 2 elements, got 1/,
  });
});

test('gradients are clipped by the norm of all together', (t) => {
  const gradients = arrays({ x: [3, 4], y: [12] });
  t.is(clipNorm(gradients, 20), 13);
  t.deepEqual([...gradients.get('x')!], [3, 4]);
  t.is(clipNorm(gradients, 6.5), 13);
  t.true(near(gradients.get('x')!, [1.5, 2]));
  t.true(near(gradients.get('y')!, [6]));
});

test('a gradient that is named twice counts twice and is clipped twice', (t) => {
  const gradients = arrays({ x: [3], y: [4] });
  t.is(globalNorm(gradients, ['x', 'x', 'y']), Math.sqrt(34));
  clipNorm(gradients, Math.sqrt(34) / 2, ['x', 'x', 'y']);
  t.true(near(gradients.get('x')!, [0.75]));
  t.true(near(gradients.get('y')!, [2]));
});

test('gradients add up over several batches, and the batches keep theirs', (t) => {
  const sum = new Map<string, Float32Array>();
  const first = arrays({ x: [1, 2] });
  accumulate(sum, first);
  accumulate(sum, arrays({ x: [3, 6] }));
  scale(sum, 1 / 2);
  t.deepEqual([...sum.get('x')!], [2, 4]);
  t.deepEqual([...first.get('x')!], [1, 2]);
});

test('the moving average begins at the parameters and then lags behind', (t) => {
  const average = new MovingAverage(0.5);
  average.update(arrays({ p: [1] }));
  t.deepEqual([...average.values.get('p')!], [1]);
  average.update(arrays({ p: [12] })); // decay 2/11 in the second step
  t.true(near(average.values.get('p')!, [10]));
  for (let i = 0; i < 50; i++) average.update(arrays({ p: [0] }));
  t.true(average.values.get('p')![0]! < 1e-9);
});

test('learning rates rise evenly, stay, or fall to nothing', (t) => {
  const warm = { rate: 2, warmup: 4 };
  t.deepEqual(
    [0, 1, 2, 3, 4, 1000].map((step) => rateAt(step, warm)),
    [0.5, 1, 1.5, 2, 2, 2],
  );
  const cosine = { rate: 2, schedule: 'cosine', warmup: 2, steps: 10 } as const;
  t.is(rateAt(2, cosine), 2);
  t.true(Math.abs(rateAt(6, cosine) - 1) < 1e-12);
  t.true(Math.abs(rateAt(10, cosine)) < 1e-12);
  t.true(Math.abs(rateAt(99, cosine)) < 1e-12);
  t.throws(() => rateAt(5, { rate: 1, schedule: 'cosine' }), { instanceOf: UsageError });
});
