import test from 'ava';
import { errorMessage, errorText, exitCodeOf, oneLine } from '../../src/cli/errors.ts';
import { PathError, UsageError } from '../../src/tensor/errors.ts';

test("the input's fault is one line without a stack", (t) => {
  t.is(errorText(new PathError('a\nb: expected a file.')), 'a\\nb: expected a file.');
});

test('a fault of ours keeps its stack, and its message alone is one line', (t) => {
  const error = new TypeError('first\nsecond');
  t.is(errorText(error), error.stack ?? '');
  t.is(errorMessage(error), 'first\\nsecond');
});

test('what is thrown but is no error is shown as well', (t) => {
  t.is(errorText('just text'), "'just text'");
  t.is(errorMessage(undefined), 'undefined');
});

test('control characters of a name cannot reach the terminal', (t) => {
  t.is(oneLine('a\u001b[31m\r\u0000\u009b\u2028z'), 'a\\u001b[31m\\u000d\\u0000\\u009b\\u2028z');
});

test('wrong usage exits with 2, any other error with 1', (t) => {
  t.is(exitCodeOf(new UsageError('x')), 2);
  t.is(exitCodeOf(new PathError('x')), 1);
  t.is(exitCodeOf(new Error('x')), 1);
});
