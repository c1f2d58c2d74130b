import test from 'ava';
import { outputSize, type SizeChoice, sizeLabel } from '../../src/pipeline/size.ts';
import { UsageError } from '../../src/tensor/errors.ts';

const gives = test.macro({
  title: (_, choice: SizeChoice) => `${JSON.stringify(choice)} is exact to the pixel`,
  exec(t, choice: SizeChoice, size: string, label: string) {
    const { width, height } = outputSize({ width: 301, height: 200 }, choice);
    t.is(`${width}x${height}`, size);
    t.is(sizeLabel(choice), label);
  },
});
test(gives, {}, '1204x800', 'x4');
test(gives, { scale: 1 }, '301x200', 'x1');
test(gives, { scale: 1.5 }, '452x300', 'x1.5');
test(gives, { scale: 8 }, '2408x1600', 'x8');
test(gives, { width: 1000 }, '1000x664', '1000w');
test(gives, { height: 999 }, '1503x999', '999h');
test(gives, { width: 1920, height: 1276 }, '1920x1276', '1920x1276');
test(gives, { width: 1920, height: 1280 }, '1920x1280', '1920x1280');
test(gives, { megapixels: 2 }, '1735x1153', '2mp');

const refuses = test.macro({
  title: (_, choice: SizeChoice) => `${JSON.stringify(choice)} is wrong usage`,
  exec(t, choice: SizeChoice, message: RegExp) {
    t.throws(() => outputSize({ width: 301, height: 200 }, choice), {
      instanceOf: UsageError,
      message,
    });
  },
});
test(refuses, { scale: 0 }, /above 0/);
test(refuses, { scale: 17 }, /up to 16, got 17/);
test(refuses, { scale: NaN }, /got NaN/);
test(refuses, { scale: 2, width: 10 }, /more than one/);
test(refuses, { width: 10, megapixels: 1 }, /more than one/);
test(refuses, { width: 1.5 }, /whole pixels/);
test(refuses, { width: 1000, height: 1000 }, /Take 1000x664 or 1505x1000/);
test(refuses, { width: 4900 }, /at most 16 times 301x200/);
test(refuses, { megapixels: 1000 }, /at most 16 times/);
