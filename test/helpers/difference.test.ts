import test from 'ava';
import { difference } from './difference.ts';

test('equal arrays do not differ', (t) => {
  t.deepEqual(difference([1, 2, 3], new Uint8Array([1, 2, 3])), { largest: 0, count: 0 });
});

test('differences are counted and the largest is given, whatever its sign', (t) => {
  t.deepEqual(difference([1, 2, 3, 9], [1, 5, 3, 2]), { largest: 7, count: 2 });
});

test('a NaN never passes, on one side or on both', (t) => {
  t.is(difference([Number.NaN], [1]).largest, Number.POSITIVE_INFINITY);
  t.is(difference([Number.NaN, 1], [Number.NaN, 0]).largest, Number.POSITIVE_INFINITY);
});

test('arrays of different lengths, and empty ones, are not compared', (t) => {
  t.throws(() => difference([1], [1, 2]), { instanceOf: RangeError });
  t.throws(() => difference([], []), { instanceOf: RangeError });
});
