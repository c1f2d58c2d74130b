import { readFileSync } from 'node:fs';
import test from 'ava';
import { golden } from './golden.ts';
import { fillKey, fnv1a } from './recipe.ts';

test('names hash as FNV-1a does', (t) => {
  t.is(fnv1a(''), 0x811c9dc5);
  t.is(fnv1a('a'), 0xe40c292c); // the test vectors of its authors
  t.is(fnv1a('foobar'), 0xbf9cf968);
});

const check = golden('metrics/recipe-check.json');
(check ? test : test.skip)('tensors are those of the recipe, to the bit (needs ../shared)', (t) => {
  type Entry = {
    name: string;
    fnv1a32: number;
    shape: number[];
    offset: number;
    amplitude: number;
    first: number[];
    last: number;
    sum: number;
  };
  for (const entry of JSON.parse(readFileSync(check!, 'utf8')) as Entry[]) {
    const { name, shape, offset, amplitude, first, last, sum } = entry;
    t.is(fnv1a(name), entry.fnv1a32);
    const { data } = fillKey({ name, shape, fill: { offset, amplitude } });
    t.deepEqual(Array.from(data.slice(0, first.length)), first);
    t.is(data.at(-1), last);
    t.true(Math.abs(data.reduce((a, b) => a + b, 0) - sum) <= 1e-9 * Math.abs(sum));
  }
});
