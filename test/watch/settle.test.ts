import test from 'ava';
import { Settling } from '../../src/watch/settle.ts';

const times = { rest: 2000, patience: 30_000 };

test('a file is due when it has rested, once', (t) => {
  const settling = new Settling(times);
  settling.see('a', '1:1', 0);
  t.deepEqual(settling.takeDue(1999), []);
  t.deepEqual(settling.takeDue(2000), [['a', '1:1']]);
  t.deepEqual(settling.takeDue(9999), []);
});

test('any change begins anew, seeing it unchanged does not', (t) => {
  const settling = new Settling(times);
  settling.see('a', '1:1', 0);
  settling.see('a', '1:1', 1500);
  t.deepEqual(settling.takeDue(2000), [['a', '1:1']]);
  settling.see('a', '2:1', 2100); // while it is being decoded
  t.deepEqual(settling.takeDue(4000), []);
  t.deepEqual(settling.takeDue(4100), [['a', '2:1']]);
});

test('one that does not decode is tried again, less and less often, until patience ends', (t) => {
  const settling = new Settling(times);
  settling.see('a', '1:1', 0);
  const tried: number[] = [];
  for (let now = 0; now <= 60_000; now += 100) {
    if (settling.takeDue(now).length === 0) continue;
    tried.push(now);
    if (settling.failed('a', '1:1', now)) break;
  }
  t.deepEqual(tried, [2000, 6000, 14_000, 30_000]);
});

test('a failure of what the file was before it changed counts for nothing', (t) => {
  const settling = new Settling(times);
  settling.see('a', '1:1', 0);
  settling.takeDue(2000);
  settling.see('a', '2:2', 40_000);
  t.false(settling.failed('a', '1:1', 41_000));
  t.deepEqual(settling.takeDue(42_000), [['a', '2:2']]);
});

test("trouble that is not the file's postpones it", (t) => {
  const settling = new Settling(times);
  settling.see('a', '1:1', 0);
  settling.takeDue(2000);
  settling.postpone('a', 2000, 10_000);
  t.deepEqual(settling.takeDue(11_999), []);
  t.deepEqual(settling.takeDue(12_000), [['a', '1:1']]);
  settling.drop('a');
  t.is(settling.size, 0);
});
