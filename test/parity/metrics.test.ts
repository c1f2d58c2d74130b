import test from 'ava';
import { golden } from '../helpers/golden.ts';
import { parityMetrics } from './metrics.ts';
import { printRow } from './row.ts';

const folder = golden('metrics/README.md') && golden('.');

(folder ? test : test.skip)(
  'every measure computes what pyiqa does (needs ../shared)',
  async (t) => {
    t.timeout(600_000, 'full-size networks');
    const files = new Set<string>();
    for await (const row of parityMetrics(folder!)) {
      t.is(row.status, 'ok', printRow(row));
      files.add(row.file);
    }
    const measures = ['classic', 'lpips', 'dists', 'frechet', 'fid', 'clipiqa', 'musiq', 'maniqa'];
    for (const name of measures) t.true(files.has(`metrics/${name}.json`), name);
  },
);

test('a folder without vectors of metrics has no rows', async (t) => {
  for await (const row of parityMetrics('/nowhere')) t.fail(printRow(row));
  t.pass();
});
