/** @file Arithmetic on sizes that are known, or only after a picture has come. */
import test from 'ava';
import { addDims, type Dim, isStatic, mapDim, multiplyDims } from '../../src/graph/dims.ts';
import { ShapeError } from '../../src/tensor/errors.ts';

const maps = test.macro({
  title: (_, dim: Dim, map: Parameters<typeof mapDim>[1], result: Dim) =>
    `mapDim of ${dim} by ${JSON.stringify(map)} is ${result}`,
  exec(t, dim: Dim, map: Parameters<typeof mapDim>[1], result: Dim) {
    t.is(mapDim(dim, map), result);
  },
});

test(maps, 7, { mul: 3, add: 1, div: 2 }, 11);
test(maps, 5, { add: -1, div: 2 }, 2);
test(maps, 'h', { mul: 8 }, '8*h');
test(maps, '8*h', { div: 8 }, 'h');
test(maps, '8*h', { div: 4 }, '2*h');
test(maps, '8*h', { add: 1 }, '8*h+1');
test(maps, '8*h+1', { add: -1 }, '8*h');
// What convolutions of kernel 3 and stride 2 do: floor((size + 1) / 2).
test(maps, '8*h', { add: 1, div: 2 }, '4*h');
test(maps, '8*h', { add: -1, div: 2 }, '4*h-1');

test('a symbolic size that does not divide is refused, with the remedy', (t) => {
  const error = t.throws(() => mapDim('3*h', { div: 2 }), { instanceOf: ShapeError });
  t.regex(error.message, /\(3\*h \* 1 \+ 0\) \/ 2 for every size\. Declare .* fixed size\.$/);
});

test('sums of sizes keep one symbol', (t) => {
  t.is(addDims([2, 3]), 5);
  t.is(addDims(['h', 3]), 'h+3');
  t.is(addDims([3, '2*h', '2*h-3']), '4*h');
  t.throws(() => addDims(['h', 'w']), { instanceOf: ShapeError });
});

test('products of sizes have one text whatever their order', (t) => {
  t.is(multiplyDims([2, 3, 4]), 24);
  t.is(multiplyDims([]), 1);
  t.is(multiplyDims([2, '4*h']), '8*h');
  t.is(multiplyDims([2, '4*h+1']), '8*h+2');
  t.is(multiplyDims(['8*h', '8*w']), '64*(h)*(w)');
  t.is(multiplyDims(['h', 64, 'w']), multiplyDims(['8*w', '8*h']));
  t.is(multiplyDims(['h', 'w+1']), '(h)*(w+1)');
  t.is(multiplyDims([multiplyDims(['8*h', 'w']), 2, 'n']), '16*(h)*(n)*(w)');
  t.is(multiplyDims(['h*w', 2]), '2*(h*w)');
});

test('a shape is static when every size is a number', (t) => {
  t.true(isStatic([1, 2]));
  t.false(isStatic([1, 'h']));
});
