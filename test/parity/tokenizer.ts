/** @file Parity of the tokenizer: `vectors/tokenizer.json`, one row a string. */
import { join } from 'node:path';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { difference } from '../helpers/difference.ts';
import { has, jsonOf, modelName, type Section } from './folder.ts';
import { row } from './row.ts';

interface Cases {
  /** `count` is that of the uncut text. */
  readonly cases: readonly { text: string; ids: number[]; count: number }[];
}

export const tokenizer: Section = {
  files: /^vectors\/([a-z0-9]+_)?tokenizer\.json$/,
  inputs: /./,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const { encode } = await loadTokenizer(join(folder.root, modelName(file), 'tokenizer'));
    for (const [i, { text, ids, count }] of (jsonOf(folder, file) as Cases).cases.entries()) {
      const got = encode(text);
      const same = got.ids.length === ids.length;
      const error = same ? difference(ids, Array.from(got.ids, Number)).largest : Infinity;
      yield row(file, `cases.${i}`, Math.max(error, Math.abs(got.count - count)), 0);
    }
  },
};
