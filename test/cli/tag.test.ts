/** @file `osediff tag`, run as a user runs it. */
import { existsSync, readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mainFile, type Outcome, runCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden } from '../helpers/golden.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';

function run(...args: string[]): Promise<Outcome> {
  return runCli(args, { file: mainFile });
}

function emptyStore(t: ExecutionContext): void {
  process.env['OSEDIFF_HOME'] = temporaryFolder(t);
}

test.serial('without a tagger, it says how to import one', async (t) => {
  emptyStore(t);
  const picture = await drawPicture(join(temporaryFolder(t), 'a.png'));
  const { code, stdout, stderr } = await run('tag', picture);
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, /^osediff: "dape": .*model import --kind tagger .*\n$/);
});

test.serial('--overwrite without --write is wrong usage', async (t) => {
  const { code, stderr } = await run('tag', 'a.png', '--overwrite');
  t.is(code, 2);
  t.regex(stderr, /--write/);
});

test.serial('flags of another kind of model are refused at import', async (t) => {
  const { code, stderr } = await run(
    'model',
    'import',
    'x',
    '--kind',
    'tagger',
    '--variant',
    'fp16',
  );
  t.is(code, 2);
  t.regex(stderr, /--variant: .*--kind tagger/);
});

const small = golden('tagger/small.json');
(small ? test.serial : test.serial.skip)(
  'imports a tagger, prints tags and writes them beside pictures (needs ../shared)',
  async (t) => {
    emptyStore(t);
    const file = (name: string): string => golden(`tagger/${name}`)!;
    const lists = [
      '--tags',
      file('small_ram_tag_list.txt'),
      '--thresholds',
      file('small_ram_tag_list_threshold.txt'),
    ];
    const imported = await run(
      'model',
      'import',
      '--kind',
      'tagger',
      file('ram_swin_small.pth'),
      '--lora',
      file('DAPE_small.pth'),
      ...lists,
    );
    t.is(imported.stderr, '');
    t.is(imported.code, 0);
    t.regex((await run('model', 'list')).stdout, /^dape +stored +fp32 +\(tagger\) /m);

    const folder = temporaryFolder(t);
    for (const name of ['input-a.png', 'input-b.png'])
      await copyFile(file(name), join(folder, name));
    const { pictures } = JSON.parse(readFileSync(small!, 'utf8')) as {
      pictures: Record<string, { tags: string }>;
    };
    const [a, b] = [pictures['a']!.tags, pictures['b']!.tags];
    t.is((await run('tag', join(folder, 'input-b.png'))).stdout, `${b}\n`);

    const bad = writeText(join(folder, 'bad.png'));
    const all = await run('tag', folder, '--write');
    t.is(all.code, 1);
    t.true(all.stderr.includes(bad));
    const lines = [`${join(folder, 'input-a.png')}: ${a}`, `${join(folder, 'input-b.png')}: ${b}`];
    t.is(all.stdout, lines.map((line) => `${line}\n`).join(''));
    t.is(readFileSync(join(folder, 'input-a.txt'), 'utf8'), `${a}\n`);
    t.false(existsSync(join(folder, 'bad.txt')));

    const again = await run('tag', join(folder, 'input-a.png'), '--write', '--json');
    t.is(again.code, 1);
    t.regex(again.stderr, /input-a\.txt: .*--overwrite/);
    const json = await run('tag', join(folder, 'input-b.png'), '--json');
    const { tags } = JSON.parse(json.stdout) as { tags: { tag: string; probability: number }[] };
    t.is(tags.map(({ tag }) => tag).join(', '), b);
    t.true(tags.every(({ probability }) => probability > 0.4 && probability <= 1));
  },
);
