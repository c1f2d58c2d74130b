import test from 'ava';
import { FormatError, ShapeError } from '../../src/tensor/errors.ts';
import { chooseTags, parseTagLists, publishedTags } from '../../src/text/tags.ts';
import { golden } from '../helpers/golden.ts';
import { readFileSync } from 'node:fs';

test('the published list has 4585 different tags', (t) => {
  const { tags, thresholds } = publishedTags();
  t.is(new Set(tags).size, 4585);
  t.is(thresholds.length, 4585);
  t.deepEqual([tags[0], tags[1], tags.at(-1)], ['3D CG rendering', '3D glasses', 'zoo']);
  t.is(thresholds.filter((v) => v === Math.fround(0.65)).length, 3414);
  t.is(thresholds.filter((v) => v === 1).length, 10);
});

const files = ['tagger/ram_tag_list.txt', 'tagger/ram_tag_list_threshold.txt'].map(golden);
const [tagFile, thresholdFile] = files;
(tagFile && thresholdFile ? test : test.skip)(
  'the published lists are those of the official files (needs ../shared)',
  (t) => {
    const [tags, thresholds] = files.map((file) => readFileSync(file!, 'utf8'));
    t.deepEqual(publishedTags(), parseTagLists(tags!, thresholds!, 'ram'));
  },
);

test('a tag is chosen strictly above its threshold, in list order', (t) => {
  const lists = parseTagLists('a\nb\nc\nd', '0.5\n0.5\n0.9\n1', 'lists');
  const logits = Float32Array.of(0, 0.001, 3, 100);
  t.deepEqual(
    chooseTags(logits, lists).map(({ tag }) => tag),
    ['b', 'c'],
  );
  t.deepEqual(chooseTags(Float32Array.of(-9, -9, -9, -9), lists), []);
});

test('probabilities and thresholds meet in float32', (t) => {
  const logit = Math.log(0.65 / 0.35);
  const lists = parseTagLists('a', '0.65', 'lists');
  const [below, above] = [logit - 1e-6, logit + 1e-6].map((v) =>
    chooseTags(Float32Array.of(v), lists),
  );
  t.is(below!.length, 0);
  t.is(above!.length, 1);
});

test('lists are read whatever ends their lines', (t) => {
  const { tags, thresholds } = parseTagLists('\ufeffred car\r\nsky\r\n', '0.5\n1\n', 'lists');
  t.deepEqual(tags, ['red car', 'sky']);
  t.deepEqual([...thresholds], [0.5, 1]);
});

const refused = test.macro((t, tags: string, thresholds: string, message: RegExp) => {
  t.throws(() => parseTagLists(tags, thresholds, 'my lists'), { instanceOf: FormatError, message });
});
test(
  'lists of different lengths are refused',
  refused,
  'a\nb',
  '0.5',
  /my lists: .* got 1 and 2\./,
);
test('a threshold above 1 is refused', refused, 'a\nb', '0.5\n65', /0 to 1 on line 2/);
test('a threshold that is no number is refused', refused, 'a\nb', '0.5\nhigh', /on line 2/);
test('empty lists are refused', refused, '', '', /got 0 and 0/);

test('as many logits as tags are wanted', (t) => {
  t.throws(() => chooseTags(new Float32Array(3), publishedTags()), { instanceOf: ShapeError });
});
