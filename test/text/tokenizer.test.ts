import { cp, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { FormatError, PathError } from '../../src/tensor/errors.ts';
import { golden } from '../helpers/golden.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const fixtures = fileURLToPath(new URL('../fixtures/text/', import.meta.url));

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly count: number;
}

const stored = JSON.parse(readFileSync(path.join(fixtures, 'cases.json'), 'utf8')) as {
  pad: Record<'sd1' | 'sd2', number>;
  cases: readonly ({ text: string } & Record<'sd1' | 'sd2', Omit<Case, 'text'>>)[];
};

const specials = {
  bos_token: '<|startoftext|>',
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
};

/** A tokenizer folder of the fixture's BPE with these files beside it, values written as JSON. */
async function folderWith(t: ExecutionContext, files: Record<string, unknown>): Promise<string> {
  const folder = temporaryFolder(t);
  for (const name of ['vocab.json', 'merges.txt']) {
    await cp(path.join(fixtures, name), path.join(folder, name));
  }
  for (const [name, value] of Object.entries(files)) {
    await writeFile(
      path.join(folder, name),
      typeof value === 'string' ? value : JSON.stringify(value),
    );
  }
  return folder;
}

/** A string short enough for a title, unprintable characters spelled out. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}

for (const kind of ['sd2', 'sd1'] as const) {
  for (const entry of stored.cases) {
    test(`${kind} padding: ${shown(entry.text)} has transformers' ids`, async (t) => {
      const pad_token = kind === 'sd2' ? '!' : '<|endoftext|>';
      const folder = await folderWith(t, {
        'special_tokens_map.json': { ...specials, pad_token },
        'tokenizer_config.json': { pad_token: '<|endoftext|>', model_max_length: 77 },
      });
      const { ids, count } = (await loadTokenizer(folder)).encode(entry.text);
      const expected = [...entry[kind].ids];
      while (expected.length < 77) expected.push(stored.pad[kind]);
      t.deepEqual([...ids].map(Number), expected);
      t.is(count, entry[kind].count);
    });
  }
}

for (const [model, file] of [
  ['tiny', 'tokenizer'],
  ['tiny-sd1', 'sd1_tokenizer'],
] as const) {
  const vectors = golden(`vectors/${file}.json`);
  (vectors ? test : test.skip)(
    `golden strings of ${model} have transformers' ids${vectors ? '' : ' (needs ../shared)'}`,
    async (t) => {
      const tokenizer = await loadTokenizer(golden(`models/${model}/tokenizer`)!);
      const { cases } = JSON.parse(readFileSync(vectors!, 'utf8')) as { cases: Case[] };
      t.true(cases.length > 20);
      for (const { text, ids, count } of cases) {
        const encoding = tokenizer.encode(text);
        t.deepEqual([...encoding.ids].map(Number), ids, shown(text));
        t.is(encoding.count, count);
      }
    },
  );
}

test('special tokens written as objects say themselves whether upper case matches', async (t) => {
  for (const normalized of [true, false]) {
    const eos_token = { content: '<|endoftext|>', lstrip: false, normalized, rstrip: false };
    const map = { ...specials, eos_token, unk_token: eos_token };
    const tokenizer = await loadTokenizer(await folderWith(t, { 'special_tokens_map.json': map }));
    const { ids, count } = tokenizer.encode('a <|ENDOFTEXT|>');
    t.is(count === 4, normalized);
    t.is(ids[2] === ids[3], normalized);
  }
});

test('without a map the config names the special tokens, without either the end token pads', async (t) => {
  const configured = await folderWith(t, { 'tokenizer_config.json': { pad_token: '!' } });
  t.is((await loadTokenizer(configured)).encode('a').ids[76], 0n);
  const { encode, vocabSize } = await loadTokenizer(await folderWith(t, {}));
  t.is(encode('a').ids[76], BigInt(vocabSize - 1));
});

test("the length is the config's, unless that is absent or no length", async (t) => {
  for (const [stated, length] of [
    [12, 12],
    [undefined, 77],
    [1e30, 77],
  ] as const) {
    const folder = await folderWith(t, { 'tokenizer_config.json': { model_max_length: stated } });
    const { encode, maxLength, vocabSize } = await loadTokenizer(folder);
    const { ids, count } = encode('tree '.repeat(90));
    t.deepEqual([maxLength, ids.length, count], [length, length, 272]);
    t.is(ids[length - 1], BigInt(vocabSize - 1));
  }
});

test('a tokenizer.json serves where vocab.json is missing, merges as pairs or as strings', async (t) => {
  const vocab = JSON.parse(readFileSync(path.join(fixtures, 'vocab.json'), 'utf8')) as object;
  const lines = readFileSync(path.join(fixtures, 'merges.txt'), 'utf8').trim().split('\n').slice(1);
  const expected = (await loadTokenizer(await folderWith(t, {}))).encode('a photo of trees');
  for (const merges of [lines, lines.map((line) => line.split(' '))]) {
    const folder = temporaryFolder(t);
    const json = JSON.stringify({ model: { type: 'BPE', vocab, merges } });
    await writeFile(path.join(folder, 'tokenizer.json'), json);
    t.deepEqual((await loadTokenizer(folder)).encode('a photo of trees'), expected);
  }
});

test('a folder without a tokenizer is a path error', async (t) => {
  const folder = temporaryFolder(t);
  const error = await t.throwsAsync(loadTokenizer(folder), { instanceOf: PathError });
  t.true(error.message.startsWith(`${folder}: expected vocab.json and merges.txt, got neither`));
});

const malformed = test.macro({
  title: (_, what: string) => `${what} is refused`,
  async exec(t: ExecutionContext, _what: string, files: Record<string, unknown>, message: RegExp) {
    const folder = await folderWith(t, files);
    const error = await t.throwsAsync(loadTokenizer(folder), { instanceOf: FormatError, message });
    t.notRegex(error.message, /\n/);
  },
});
test(
  malformed,
  'a vocabulary cut short',
  { 'vocab.json': '{"a": 1, ' },
  /expected JSON, got a syntax/,
);
test(malformed, 'a vocabulary that is a list', { 'vocab.json': '[1]' }, /expected a JSON object/);
test(malformed, 'an empty vocabulary', { 'vocab.json': {} }, /expected tokens with an id each/);
test(malformed, 'a repeated id', { 'vocab.json': { a: 0, b: 0 } }, /repeated/);
test(malformed, 'an id that is none', { 'vocab.json': { a: -1 } }, /other values/);
test(
  malformed,
  'a padding token outside the vocabulary',
  { 'special_tokens_map.json': { ...specials, pad_token: '[PAD]' } },
  /expected pad_token in the vocabulary, got "\[PAD\]"/,
);
