import { join } from 'node:path';
import test from 'ava';
import { companion, fitName, isIgnored, numbered, resultName } from '../../src/watch/names.ts';

const ignored = test.macro<[string, boolean]>({
  exec: (t, name, expected) => t.is(isIgnored(name), expected),
  title: (_, name, expected) => `${JSON.stringify(name)} is ${expected ? 'ignored' : 'taken'}`,
});

for (const name of ['.a.png', 'a.png.part', 'a.tmp', 'a.crdownload', 'a.PARTIAL', 'a.png~']) {
  test(ignored, name, true);
}
for (const name of ['~$a.png', 'Thumbs.db', 'desktop.ini', '@eaDir', '$RECYCLE.BIN', '.osediff']) {
  test(ignored, name, true);
}
for (const name of ['a.png', 'part.png', 'tmp', 'a.tmp.png', 'a', '~a.png', 'a b.JPG']) {
  test(ignored, name, false);
}

const named = test.macro<[string, string | undefined, string]>({
  exec: (t, file, ending, expected) => t.is(resultName(file, ending), expected),
  title: (_, file, ending = 'its own') => `the result of ${file} as ${ending}`,
});
test(named, 'sub/a.JPG', undefined, 'sub/a.JPG');
test(named, 'a.tif', undefined, 'a.tif');
test(named, 'a.gif', undefined, 'a.gif');
test(named, 'a.heic', undefined, 'a.png');
test(named, 'film.wmv', '.png', 'film.mkv');
test(named, 'film.MP4', '.png', 'film.MP4');
test(named, 'a', undefined, 'a.png');
test(named, 'a.b.jpg', '.png', 'a.b.png');

test('choices of a name are counted before the ending', (t) => {
  t.is(numbered('a.png', 1), 'a.png');
  t.is(numbered(join('sub', 'a.b.png'), 3), join('sub', 'a.b-3.png'));
});

test('names that would be too long are cut at a character and stay apart', (t) => {
  const stem = '写'.repeat(84);
  const one = fitName(`${stem}1`, '.json');
  const two = fitName(`${stem}2`, '.json');
  t.true(Buffer.byteLength(one) <= 255);
  t.notRegex(one, /\u{fffd}/u);
  t.not(one, two);
  t.is(fitName('short', '.json'), 'short.json');
  const full = `${'x'.repeat(251)}.png`;
  t.is(Buffer.byteLength(full), 255);
  for (const name of [numbered(full, 2), companion(full, '.txt')]) {
    t.true(Buffer.byteLength(name) <= 255);
    t.regex(name, /^x{200}/);
  }
});
