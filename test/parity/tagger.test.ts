import test from 'ava';
import { golden } from '../helpers/golden.ts';
import { printRow } from './row.ts';
import { parityTagger } from './tagger.ts';

const folder = golden('tagger/small.json') && golden('.');

(folder ? test : test.skip)(
  'the tagger computes what the official one does (needs ../shared)',
  async (t) => {
    let rows = 0;
    for await (const row of parityTagger(folder!)) {
      t.not(row.status, 'FAIL', printRow(row));
      rows++;
    }
    t.true(rows > 40);
  },
);

test('a folder without tagger vectors has no rows', async (t) => {
  for await (const row of parityTagger('/nowhere')) t.fail(printRow(row));
  t.pass();
});
