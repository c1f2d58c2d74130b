/** @file Keeps docs/autodiff.md and docs/ops.md true. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { opsPage } from './ops-page.ts';

const docs = new URL('../../docs/', import.meta.url);
const entry = new URL('../../src/autodiff.ts', import.meta.url);

test('the program of docs/autodiff.md learns', async (t) => {
  const page = readFileSync(new URL('autodiff.md', docs), 'utf8');
  const [, program] = /```ts\n(import [\s\S]*?)```/.exec(page)!;
  const folder = mkdtempSync(join(tmpdir(), 'osediff-docs-'));
  try {
    const file = join(folder, 'program.mts');
    writeFileSync(file, program!.replace("'osediff/autodiff'", JSON.stringify(entry.href)));
    const { last } = (await import(pathToFileURL(file).href)) as { last: number };
    t.true(last < 0.01, `loss ${last}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('docs/ops.md lists every operator as it is', (t) => {
  const file = new URL('ops.md', docs);
  if (process.env['OSEDIFF_UPDATE_DOCS']) writeFileSync(file, opsPage());
  t.is(readFileSync(file, 'utf8'), opsPage());
});
