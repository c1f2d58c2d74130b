import test from 'ava';
import type { PlannedPicture } from '../../src/pipeline/picture-check.ts';
import { jsonReporter, textReporter, type Reporter } from '../../src/cli/report.ts';
import { FormatError } from '../../src/tensor/errors.ts';

interface Recording {
  readonly reporter: Reporter;
  /** What was written, each piece with its stream. */
  readonly written: string[];
  /** The clock, in milliseconds. */
  readonly clock: { now: number };
}

function record(kind: 'terminal' | 'pipe' | 'json'): Recording {
  const written: string[] = [];
  const clock = { now: 1000 };
  const output = (name: string, isTTY: boolean): { write(text: string): void; isTTY: boolean } => ({
    write: (text) => void written.push(`${name} ${text}`),
    isTTY,
  });
  const options = {
    stdout: output('out', false),
    stderr: output('err', kind === 'terminal'),
    now: (): number => clock.now,
  };
  const reporter = kind === 'json' ? jsonReporter(options) : textReporter(options);
  return { reporter, written, clock };
}

function pictures(...names: string[]): PlannedPicture[] {
  return names.map((name) => ({
    input: name,
    output: `${name}.out`,
    width: 8,
    height: 8,
    depth: 'uint8',
    frames: 1,
    format: 'png',
    result: { width: 32, height: 32 },
  }));
}

/** Report `count` tiles, one every `step` ms. */
function tiles({ reporter, clock }: Recording, index: number, count: number, step: number): void {
  for (let done = 1; done <= count; done++) {
    clock.now += step;
    reporter.onProgress(index, { phase: 'tiles', done, total: count });
  }
}

const result = { input: 'a.png', output: 'a-x4.png', width: 32, height: 24, seconds: 1.26 };

test('on a terminal the bar is drawn at most ten times a second', (t) => {
  const recording = record('terminal');
  recording.reporter.onPlanned(pictures('a.png'));
  tiles(recording, 0, 1000, 2); // two seconds
  const drawn = recording.written.filter((text) => text.includes('%'));
  t.true(drawn.length >= 20 && drawn.length <= 22, String(drawn.length));
  for (const text of drawn) t.true(/^err \r[^\n]*$/.test(text) && text.endsWith('\u001b[K'), text);
});

test('on a terminal the bar gives way to a result and is gone at the end', (t) => {
  const recording = record('terminal');
  const { reporter, written } = recording;
  reporter.onPlanned(pictures('a.png', 'b.png'));
  tiles(recording, 0, 2, 500);
  reporter.onDone(0, result);
  t.deepEqual(written.slice(-2), ['err \r\u001b[K', 'out a-x4.png\n']);
  tiles(recording, 1, 2, 500);
  reporter.end({ done: 2, failed: 0, skipped: 0 });
  t.is(written.at(-1), 'err \r\u001b[K');
});

test('a terminal shows that the model loads, unless nothing is left to do', (t) => {
  const { reporter, written } = record('terminal');
  reporter.onPlanned([]);
  t.deepEqual(written, []);
  reporter.onPlanned(pictures('a.png'));
  t.true(written[0]!.includes('0 % loading the model'));
});

test('a terminal that says it has no columns gets a bar all the same', (t) => {
  const written: string[] = [];
  const stderr = { write: (text: string) => written.push(text), isTTY: true, columns: 0 };
  textReporter({ stderr }).onPlanned(pictures('a.png'));
  t.true(written[0]!.includes('loading the model'));
});

test('the bar counts pictures and shows the time left over all of them', (t) => {
  const recording = record('terminal');
  recording.reporter.onPlanned(pictures('a.png', 'b.png'));
  tiles(recording, 0, 100, 100);
  t.regex(recording.written.at(-1)!, / 48 % ETA 0:11 1\/2 a\.png/);
});

test('elsewhere a line comes every few seconds, and none for a quick picture', (t) => {
  const recording = record('pipe');
  recording.reporter.onPlanned(pictures('a.png'));
  tiles(recording, 0, 100, 40);
  t.deepEqual(recording.written, []);
  tiles(recording, 0, 100, 200);
  t.is(recording.written.length, 4);
  for (const text of recording.written) t.regex(text, /^err a\.png: \d+ %, about \d+:\d\d left\n$/);
});

test('elsewhere each finished picture is a line, its path on stdout', (t) => {
  const { reporter, written } = record('pipe');
  reporter.onPlanned(pictures('a.png'));
  reporter.onDone(0, result);
  reporter.end({ done: 1, failed: 0, skipped: 0 });
  t.deepEqual(written, ['err a.png: 32x24 in 1.3 s\n', 'out a-x4.png\n']);
});

test('a failure is one line that names its input once', (t) => {
  const { reporter, written } = record('pipe');
  reporter.onFailed('a.png', new FormatError('a.png: expected a picture, got text.'));
  reporter.onFailed('b.png', new FormatError('expected a picture, got text.'));
  t.deepEqual(written, [
    'err osediff: a.png: expected a picture, got text.\n',
    'err osediff: b.png: expected a picture, got text.\n',
  ]);
});

test('failures of a batch are listed at its end, those of one picture are not repeated', (t) => {
  const batch = record('pipe');
  batch.reporter.onFailed('a\n.png', new FormatError('x.'));
  batch.reporter.onFailed('b.png', new FormatError('x.'));
  batch.reporter.end({ done: 3, failed: 2, skipped: 0 });
  t.is(batch.written.at(-1), 'err osediff: 2 of 5 failed: a\\n.png, b.png\n');
  const single = record('pipe');
  single.reporter.onFailed('a.png', new FormatError('x.'));
  single.reporter.end({ done: 0, failed: 1, skipped: 0 });
  t.is(single.written.length, 1);
});

test('for programs every line of stdout is JSON, and progress does not flood it', (t) => {
  const recording = record('json');
  const { reporter, written } = recording;
  reporter.onPlanned(pictures('a.png'));
  tiles(recording, 0, 1000, 2);
  reporter.onDone(0, result);
  reporter.onFailed('b.png', new FormatError('b.png: expected a picture.'));
  reporter.end({ done: 1, failed: 1, skipped: 0 });
  reporter.stopped(new Error('two\nlines'));
  const lines = written.filter((text) => text.startsWith('out '));
  for (const text of lines) t.regex(text, /^out \{[^\n]*\}\n$/);
  const events = lines.map((text) => JSON.parse(text.slice(4)) as { event: string });
  const progress = events.filter(({ event }) => event === 'progress');
  t.true(progress.length >= 7 && progress.length <= 9, String(progress.length));
  t.deepEqual(progress[0], {
    event: 'progress',
    input: 'a.png',
    phase: 'tiles',
    done: 1,
    total: 1000,
  });
  t.deepEqual(events.slice(-4), [
    { event: 'done', ...result },
    { event: 'failed', input: 'b.png', error: 'b.png: expected a picture.' },
    { event: 'end', done: 1, failed: 1, skipped: 0 },
    { event: 'error', error: 'two\\nlines' },
  ]);
  t.deepEqual(
    written.filter((text) => text.startsWith('err ')),
    ['err osediff: b.png: expected a picture.\n'],
  );
});
