import test from 'ava';
import { NumpyRandom } from '../../src/measures/numpy-random.ts';

/** numpy 2.3, `RandomState(seed)`, `randint(0, end)` time after time. */
const draws = test.macro((t, seed: number, end: number, expected: readonly number[]) => {
  const random = new NumpyRandom(seed);
  t.deepEqual(
    expected.map(() => random.below(end)),
    [...expected],
  );
});
test('seed 123, below 289', draws, 123, 289, [98, 230, 17, 83, 106, 123, 57, 214]);
test('seed 0, below 1000', draws, 0, 1000, [684, 559, 629, 192, 835]);
test('the largest seed', draws, 4294967295, 2 ** 31 - 1, [419326371, 479346978]);

test('the state is turned over after 624 draws', (t) => {
  const random = new NumpyRandom(4294967295);
  const all = Array.from({ length: 700 }, () => random.below(2 ** 31 - 1));
  t.deepEqual(all.slice(-2), [1003956204, 1315897766]);
});

test('a choice of one draws nothing', (t) => {
  const random = new NumpyRandom(123);
  for (const expected of [98, 230, 17, 83, 106, 123, 57, 214]) t.is(random.below(289), expected);
  t.is(random.below(1), 0);
  t.deepEqual(
    [1, 0, 1, 6, 1, 0].map(() => random.below(7)),
    [1, 0, 1, 6, 1, 0],
  );
});
