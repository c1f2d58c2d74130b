/** @file Which file a measure's weights are in, and that the full-size files hold what networks ask for. */
import test from 'ava';
import { type PartName, partOf, parts } from '../../src/measures/parts.ts';
import { golden } from '../helpers/golden.ts';
import { readKeys, type RecipeKey } from '../helpers/recipe.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

function shapesOf(keys: readonly RecipeKey[]): Shapes {
  return new Map(keys.map(({ name, shape }) => [name, shape]));
}

test('every part knows its own weights, and no part of another network does', (t) => {
  const fixed = parts.filter(({ name }) => !/^(musiq|maniqa|clip)/.test(name)); // sizes of others are told by files
  t.is(fixed.length, 4);
  for (const part of fixed) {
    const shapes = part.wanted(new Map());
    t.true(shapes.size >= 2, part.name);
    t.deepEqual(
      parts.filter((other) => other.fits(shapes)),
      [part],
    );
  }
});

test("torchvision's Inception is refused: its features are others", (t) => {
  const part = partOf('inception');
  const shapes = new Map([
    ...part.wanted(new Map()),
    ['AuxLogits.fc.weight', [1000, 768]] as const,
  ]);
  t.true(part.fits(shapes));
  t.throws(() => part.wanted(shapes), { message: /torchvision's.*pt_inception-2015-12-05/ });
});

/** Of the full-size list: every filled tensor is asked for, with its shape; no other is missed or in excess. */
const complete = test.macro({
  title: (_, list: string, name: PartName) =>
    `${list} holds what ${name} asks for and nothing unknown (needs ../shared)`,
  exec(t, list: string, name: PartName) {
    const keys = readKeys(golden(`metrics/${list}`)!);
    const part = partOf(name);
    const shapes = shapesOf(keys);
    t.true(part.fits(shapes));
    const wanted = part.wanted(shapes);
    for (const [key, shape] of wanted) t.deepEqual(shapes.get(key), shape, key);
    for (const { name: key, fill } of keys) {
      if (part.useless.test(key)) t.false(wanted.has(key), key);
      else t.true(wanted.has(key), `${key} has no use`);
      if (!fill) t.false(wanted.has(key), `${key} cannot influence the result`);
    }
  },
});
const lists: readonly (readonly [string, PartName])[] = [
  ['keys-lpips-alex.txt', 'alexnet'],
  ['keys-lpips-vgg.txt', 'vgg16'],
  ['keys-dists.txt', 'dists'],
  ['keys-fid.txt', 'inception'],
  ['keys-musiq.txt', 'musiq-koniq'],
  ['keys-musiq-small.txt', 'musiq-spaq'],
  ['keys-maniqa.txt', 'maniqa-pipal'],
  ['keys-maniqa-small.txt', 'maniqa-koniq'],
  ['keys-clipiqa.txt', 'clip-rn50'],
  ['keys-clipiqa-small.txt', 'clip-rn50'],
  ['keys-clip-jit-tiny.txt', 'clip-rn50'],
];
for (const [list, name] of lists) {
  (golden(`metrics/${list}`) ? test : test.skip)(complete, list, name);
}
