import test from 'ava';
import { countReporter } from '../../src/cli/count-report.ts';

function collect(isTTY: boolean): {
  text: () => string;
  stderr: { write(s: string): void; isTTY: boolean; columns: number };
} {
  let text = '';
  return { text: () => text, stderr: { write: (s) => void (text += s), isTTY, columns: 60 } };
}

test('a terminal gets a bar that is taken away at the end', (t) => {
  const { text, stderr } = collect(true);
  let time = 0;
  const reporter = countReporter(stderr, () => time);
  reporter.onCount(1, 4, 'a');
  time = 50;
  reporter.onCount(2, 4, 'b'); // too soon to be drawn
  time = 2000;
  reporter.onCount(3, 4, 'c');
  reporter.end();
  t.regex(text(), / 25 % 1\/4 a/);
  t.notRegex(text(), /2\/4 b/);
  t.regex(text(), / 75 % ETA 0:01 3\/4 c/);
  t.true(text().endsWith('\r\u001b[K'));
});

test('elsewhere a line every five seconds, none for short runs', (t) => {
  const { text, stderr } = collect(false);
  let time = 0;
  const reporter = countReporter(stderr, () => time);
  for (const [at, name] of [
    [4000, 'a'],
    [5000, 'b\n'],
    [9000, 'c'],
    [10_000, 'd'],
  ] as const) {
    time = at;
    reporter.onCount(1, 9, name);
  }
  reporter.end();
  t.is(text(), '1/9 b\\n\n1/9 d\n');
});
