import test from 'ava';
import { rubbish } from '../../src/pipeline/rubbish.ts';
import { random } from '../helpers/random.ts';

const next = random(1);
const picture = Float32Array.from({ length: 3000 }, () => next() * 2 - 1);
const flat = (value: number): Float32Array => new Float32Array(3000).fill(value);

test('a picture is no rubbish, and neither is a flat one from a flat input', (t) => {
  t.is(
    rubbish(
      picture,
      picture.map((v) => v * 0.9),
    ),
    undefined,
  );
  t.is(rubbish(flat(-1), flat(-1)), undefined);
  t.is(rubbish(flat(0.3), flat(0.31)), undefined);
});

test('numbers that are none, black and one colour are told apart', (t) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const broken = picture.slice();
    broken[2999] = value;
    t.is(rubbish(picture, broken), 'values that are no numbers');
  }
  t.is(rubbish(picture, flat(-1)), 'a black tile');
  t.is(rubbish(picture, flat(0.5)), 'a tile of one colour');
});
