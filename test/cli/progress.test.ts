import test from 'ava';
import {
  barLine,
  BatchFraction,
  clock,
  pictureFraction,
  secondsLeft,
} from '../../src/cli/progress.ts';

test('progress within a picture rises from 0 to 1 through the phases', (t) => {
  const steps = (['prepare', 'tiles', 'finish'] as const).flatMap((phase) =>
    [0, 1, 2].map((done) => pictureFraction({ phase, done, total: 2 })),
  );
  t.is(steps[0], 0);
  t.true(Math.abs(steps.at(-1)! - 1) < 1e-12);
  for (let i = 1; i < steps.length; i++) t.true(steps[i]! >= steps[i - 1]! - 1e-12);
});

test('a phase without steps has not begun', (t) => {
  t.is(pictureFraction({ phase: 'prepare', done: 0, total: 0 }), 0);
});

test('pictures count by their pixels', (t) => {
  const batch = new BatchFraction([
    { width: 10, height: 10 },
    { width: 30, height: 10 },
  ]);
  t.deepEqual(
    [batch.at(0, 0), batch.at(0, 1), batch.at(1, 0.5), batch.at(1, 1)],
    [0, 0.25, 0.625, 1],
  );
});

test('the time left follows from the time spent, once there is enough of it', (t) => {
  t.is(secondsLeft(10, 0.25), 30);
  t.is(secondsLeft(10, 1), 0);
  t.is(secondsLeft(0.1, 0.5), undefined);
  t.is(secondsLeft(10, 0.001), undefined);
});

for (const [seconds, text] of [
  [0, '0:00'],
  [0.2, '0:01'],
  [59.5, '1:00'],
  [754, '12:34'],
  [3723, '1:02:03'],
] as const) {
  test(`${seconds} s are shown as ${text}`, (t) => t.is(clock(seconds), text));
}

test('a bar shows how far, how long and what', (t) => {
  t.is(
    barLine({ fraction: 0.5, label: '2/5 photo.png', secondsLeft: 65 }, 80),
    `[${'#'.repeat(15)}${'-'.repeat(15)}]  50 % ETA 1:05 2/5 photo.png`,
  );
});

test('a bar never wraps, however narrow the terminal and long the name', (t) => {
  for (let columns = 1; columns <= 120; columns++) {
    for (const label of ['', 'p.png', `${'very-long-'.repeat(30)}name.png`]) {
      for (const left of [undefined, 3, 360_000]) {
        const line = barLine({ fraction: 0.999, label, secondsLeft: left }, columns);
        t.true(line.length < columns, `${columns}: ${line}`);
      }
    }
  }
});

test('of a long name the end is kept', (t) => {
  const line = barLine({ fraction: 0, label: `${'x'.repeat(100)}-0042.png` }, 60);
  t.true(line.endsWith('-0042.png'));
  t.true(line.includes('...'));
});

test('a bar is full only at the end', (t) => {
  t.true(barLine({ fraction: 0.999, label: '' }, 80).includes(' 99 %'));
  t.true(barLine({ fraction: 1, label: '' }, 80).includes('100 %'));
});
