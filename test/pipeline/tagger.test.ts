/** @file The tagger from its files on disk to the tags of a picture. */
import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { readPicture } from '../../src/image/codec.ts';
import { makePicture, type Picture, withoutAlpha } from '../../src/image/picture.ts';
import { pictureRows } from '../../src/pipeline/rows.ts';
import { openTagger, taggerInput } from '../../src/pipeline/tagger.ts';
import { hasTagger, importTagger } from '../../src/pipeline/tagger-model.ts';
import { ConfigError, PathError, UsageError, WeightError } from '../../src/tensor/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { buildPrompt } from '../../src/text/prompt.ts';
import { resolveModel, verifyModel } from '../../src/weights/store.ts';
import { difference } from '../helpers/difference.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { writeThirds } from '../helpers/tiny-model.ts';

// Serial where a store is used: an environment variable names it.

/** A picture as the tagger sees it. */
function inputOf(picture: Picture, side: number): Tensor<'float32'> {
  return taggerInput(pictureRows(withoutAlpha(picture), undefined), side);
}

const cpu = { device: 'cpu', precision: 'fp32' } as const;

function emptyStore(t: ExecutionContext): void {
  process.env['OSEDIFF_HOME'] = temporaryFolder(t);
}

test('a picture is squeezed to a square by its nearest four pixels', (t) => {
  const data = Uint8Array.from({ length: 8 * 3 }, (_, i) => (Math.floor(i / 3) < 4 ? 0 : 255));
  const { shape, data: x } = inputOf(makePicture(8, 1, 3, data), 4);
  t.deepEqual(shape, [1, 3, 4, 4]);
  // The middles of every pair of columns: black, black, white, white; the same in every row.
  const [black, white] = [-0.485 / 0.229, (1 - 0.485) / 0.229];
  t.true(difference(x.slice(0, 4), [black, black, white, white]).largest < 1e-6);
  t.true(difference(x.slice(12, 16), [black, black, white, white]).largest < 1e-6);
});

test('far smaller squares are sampled, not averaged', (t) => {
  const data = Uint8Array.from({ length: 64 }, (_, i) => (i === 31 || i === 32 ? 255 : 0));
  const [value] = inputOf(makePicture(64, 1, 1, data), 1).data; // only the middle is looked at
  t.true(Math.abs(value! - (1 - 0.485) / 0.229) < 1e-6);
});

test('depth and alpha make no difference, grey fills three channels', (t) => {
  const bytes = Uint8Array.of(10, 20, 30, 200, 90, 60, 30, 255);
  const deep = Uint16Array.from(bytes, (v) => v * 257);
  const rgb = Uint8Array.of(10, 20, 30, 90, 60, 30);
  const expected = inputOf(makePicture(2, 1, 3, rgb), 2).data;
  for (const samples of [bytes, deep]) {
    t.true(difference(inputOf(makePicture(2, 1, 4, samples), 2).data, expected).largest < 1e-6);
  }
  const grey = inputOf(makePicture(1, 1, 2, Uint8Array.of(128, 7)), 1).data;
  const spread = inputOf(makePicture(1, 1, 3, Uint8Array.of(128, 128, 128)), 1).data;
  t.deepEqual(grey, spread);
});

test.serial(
  'a missing tagger, and a model of another kind, are refused with the remedy',
  async (t) => {
    emptyStore(t);
    t.false(await hasTagger());
    await t.throwsAsync(openTagger('nowhere', cpu), { instanceOf: PathError });
    const compact = await resolveModel('compact').catch(() => undefined);
    if (!compact) return;
    await t.throwsAsync(openTagger('compact', cpu), {
      instanceOf: UsageError,
      message: /osediff model import --kind tagger ram_swin_large_14m\.pth --lora DAPE\.pth/,
    });
  },
);

test.serial('a file of other weights is refused by name, and nothing is stored', async (t) => {
  emptyStore(t);
  const file = `${temporaryFolder(t)}/other.safetensors`;
  await writeThirds(file, { 'conv_in.weight': [3, 2] });
  await t.throwsAsync(importTagger(file, {}), {
    instanceOf: WeightError,
    message: /other\.safetensors: .*"visual_encoder\.patch_embed\.proj\.weight" is missing/,
  });
  t.false(await hasTagger());
});

interface Small {
  readonly pictures: Readonly<Record<string, { file: string; tags: string; prompt: string }>>;
}

const [ram, dape, tags, thresholds, config, inputs] = [
  'ram_swin_small.pth',
  'DAPE_small.pth',
  'small_ram_tag_list.txt',
  'small_ram_tag_list_threshold.txt',
  'small.json',
  'vectors-a.safetensors',
].map((name) => golden(`tagger/${name}`));
const withGolden = ram ? test.serial : test.serial.skip;

withGolden('pictures get the official tags (needs ../shared)', async (t) => {
  emptyStore(t);
  const lists = { tags: tags!, thresholds: thresholds! };
  const { unused, manifest } = await importTagger(ram!, { lora: dape, lists });
  t.deepEqual(unused, []);
  t.like(manifest, { kind: 'tagger', prompt: null, precision: 'fp32' });
  t.true(await hasTagger());
  t.deepEqual(await verifyModel(await resolveModel('dape')), []);
  const tagger = await openTagger(undefined, cpu);
  t.teardown(() => tagger.release());
  const { pictures } = JSON.parse(readFileSync(config!, 'utf8')) as Small;
  for (const { file, tags: expected, prompt } of Object.values(pictures)) {
    const picture = await readPicture(golden(`tagger/${file}`)!);
    const got = (await tagger.tag(pictureRows(picture, undefined))).map(({ tag }) => tag);
    t.is(got.join(', '), expected);
    t.is(buildPrompt(got, ''), prompt);
  }
});

withGolden(
  'where memory is short, the network goes after each picture and comes back (needs ../shared)',
  async (t) => {
    emptyStore(t);
    await importTagger(ram!, { lora: dape, lists: { tags: tags!, thresholds: thresholds! } });
    const picture = pictureRows(await readPicture(golden('tagger/input-b.png')!), undefined);
    for (const free of [0, Infinity]) {
      const tagger = await openTagger(undefined, cpu, () => free);
      const first = await tagger.tag(picture);
      t.true(first.length > 0);
      t.deepEqual(await tagger.tag(picture), first);
      await tagger.release();
    }
  },
);

withGolden('pictures are squeezed as the official program does it (needs ../shared)', async (t) => {
  const picture = await readPicture(golden('tagger/input-a.png')!);
  const expected = readGolden(inputs!).get('input')!;
  const got = inputOf(picture, expected.shape[3]!);
  t.true(difference(got.data, expected.data as Float32Array).largest < 2e-6);
});

withGolden(
  'a tagger of other tags than the published asks for its lists (needs ../shared)',
  async (t) => {
    emptyStore(t);
    await t.throwsAsync(importTagger(ram!, { lora: dape }), {
      instanceOf: ConfigError,
      message: /expected a tagger of 4585 tags, got one of 50\. .*--tags and --thresholds/,
    });
  },
);
