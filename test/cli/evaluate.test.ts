import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { niqe } from '../../src/measures/niqe.ts';
import { publishedPrior } from '../../src/measures/niqe-prior.ts';
import { psnr } from '../../src/measures/psnr.ts';
import type { EvaluationJson } from '../../src/measures/report.ts';
import type { Rgb } from '../../src/measures/rgb.ts';
import { ssim } from '../../src/measures/ssim.ts';
import { type Outcome, runCli } from '../helpers/cli.ts';
import { folderOf } from '../measures/folders.ts';
import { flat, texture } from '../measures/pattern.ts';

// No imported weights, whatever the machine has.
process.env['OSEDIFF_HOME'] = fileURLToPath(new URL('no-such-folder', import.meta.url));

const file = fileURLToPath(new URL('../helpers/evaluate-child.ts', import.meta.url));

function evaluateIn(cwd: string, ...args: string[]): Promise<Outcome> {
  return runCli(['evaluate', ...args], { cwd, file });
}

const result = texture(200, 192, 1, 9);
const reference = texture(200, 192, 1, 3);

test.serial('--json prints one object with the scores of the functions', async (t) => {
  const cwd = await folderOf(t, { 'sr/a.png': result, 'hr/a.png': reference });
  const { code, stdout, stderr } = await evaluateIn(cwd, '--sr', 'sr', '--hr', 'hr', '--json');
  t.is(code, 0);
  t.is(stderr.match(/left out: lacks .*\n/g)?.length, 6);
  const scores = {
    psnr: psnr(result, reference),
    ssim: ssim(result, reference),
    niqe: niqe(result, publishedPrior()),
  };
  t.deepEqual(JSON.parse(stdout), {
    count: 1,
    mean: scores,
    pictures: [{ name: 'a', ...scores }],
    missing: ['lpips', 'dists', 'fid', 'musiq', 'maniqa', 'clipiqa'],
  });
});

test.serial('without references a table of what needs none', async (t) => {
  const cwd = await folderOf(t, { 'sr/a.png': result });
  const { code, stdout } = await evaluateIn(cwd, '--sr', 'sr');
  t.is(code, 0);
  const score = niqe(result, publishedPrior()).toFixed(4);
  t.true(
    stdout.startsWith(`pictures   NIQE \u2193\n       1  ${score}\nMUSIQ left out: lacks `),
    stdout,
  );
});

test.serial('--lr upscales and scores, and writes CSV and a page', async (t) => {
  const small = flat(20, 16, 50);
  const cwd = await folderOf(t, {
    'lr/a.png': small,
    'lr/b.png': small,
    'hr/a.png': flat(40, 32, 50),
    'hr/b.png': flat(40, 32, 51),
  });
  const args = ['--lr', 'lr', '--hr', 'hr', '--scale', '2', '--measures', 'psnr', '--json'];
  const { code, stdout, stderr } = await evaluateIn(
    cwd,
    ...args,
    '--csv',
    'a.csv',
    '--html',
    'a.html',
  );
  t.is(stderr, '');
  t.is(code, 0);
  const { pictures } = JSON.parse(stdout) as EvaluationJson;
  const second = psnr(flat(1, 1, 50), flat(1, 1, 51));
  t.deepEqual(pictures, [
    { name: 'a', psnr: 80 },
    { name: 'b', psnr: second },
  ]);
  t.is(readFileSync(join(cwd, 'a.csv'), 'utf8'), `name,psnr\r\na,80\r\nb,${second}\r\n`);
  t.is(readFileSync(join(cwd, 'a.html'), 'utf8').match(/data:image\/webp/g)?.length, 4);
});

test.serial(
  'several kinds of prompts are compared, a line each, with what the paper did else',
  async (t) => {
    const cwd = await folderOf(t, {
      'lr/a.png': flat(20, 16, 50),
      'lr/a.txt': 'a wall',
      'hr/a.png': flat(40, 32, 51),
    });
    const args = ['--lr', 'lr', '--hr', 'hr', '--scale', '2', '--measures', 'psnr'];
    const { code, stdout } = await evaluateIn(cwd, ...args, '--prompt-from', 'none,file');
    t.is(code, 0);
    const score = psnr(flat(1, 1, 50), flat(1, 1, 51)).toFixed(4);
    const [head, ...rows] = stdout.split('\n');
    t.is(head, 'prompt   PSNR \u2191');
    t.deepEqual(rows.slice(0, 2), [`  none  ${score}`, `  file  ${score}`]);
    t.regex(rows[2]!, /Table 4 has a model trained for each/);
    const json = await evaluateIn(cwd, ...args, '--prompt-from', 'none,dape', '--json');
    const { prompts } = JSON.parse(json.stdout) as { prompts: Record<string, EvaluationJson> };
    t.deepEqual(Object.keys(prompts), ['none', 'dape']);
    t.is(prompts['dape']!.count, 1);
  },
);

test.serial('a prior can be a folder of pristine pictures', async (t) => {
  const pristine = texture(96 * 7, 96 * 7, 2, 9);
  const cwd = await folderOf(t, { 'sr/a.png': result, 'good/p.png': pristine });
  const { code, stdout } = await evaluateIn(cwd, '--sr', 'sr', '--niqe-prior', 'good', '--json');
  t.is(code, 0);
  const { mean } = JSON.parse(stdout) as EvaluationJson;
  t.true(mean['niqe']! < niqe(result, publishedPrior()) / 2, `${mean['niqe']}`);
});

const small = flat(12, 12, 1);
const refused = test.macro({
  title: (_, what: string) => `refuses ${what} with one line`,
  async exec(
    t,
    _: string,
    files: Readonly<Record<string, Rgb | string>>,
    args: readonly string[],
    exitCode: number,
    message: RegExp,
  ) {
    const cwd = await folderOf(t, files);
    const { code, stdout, stderr } = await evaluateIn(cwd, ...args);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1);
    t.deepEqual([code, stdout], [exitCode, '']);
  },
});
const sr = ['--sr', 'sr', '--hr', 'hr'];
test.serial(refused, 'neither --lr nor --sr', {}, [], 2, /expected one of --lr and --sr, got none/);
const lr = ['--lr', 'lr', '--hr', 'hr', '--measures', 'psnr', '--prompt-from'];
test.serial(
  refused,
  'a picture without the caption that was asked for',
  { 'lr/a.png': flat(12, 12, 1), 'hr/a.png': flat(48, 48, 1) },
  [...lr, 'file'],
  1,
  /a\.png: expected its caption in .*a\.txt/,
);
test.serial(
  refused,
  'prompts of finished pictures',
  {},
  [...sr, '--prompt-from', 'none'],
  2,
  /--prompt-from: expected --lr/,
);
test.serial(
  refused,
  'several prompts on one page',
  {},
  [...lr, 'none,dape', '--html', 'a.html'],
  2,
  /expected one source/,
);
test.serial(refused, 'an unknown prompt', {}, [...lr, 'none,blip'], 2, /Expected dape, file, none/);
test.serial(refused, 'a prompt twice', {}, [...lr, 'none,none'], 2, /Expected dape, file, none/);
test.serial(refused, 'both --lr and --sr', {}, ['--lr', 'a', '--sr', 'b'], 2, /got both/);
test.serial(
  refused,
  'an unknown measure',
  { 'sr/a.png': small },
  ['--sr', 'sr', '--measures', 'psrn'],
  2,
  /got "psrn"/,
);
test.serial(refused, 'no folder', { 'sr/a.png': small }, sr, 1, /^osediff: hr: .*ENOENT/);
test.serial(
  refused,
  'other names',
  { 'sr/a.png': small, 'hr/b.png': small },
  sr,
  1,
  /^osediff: sr: .*no "a" in hr, no "b" in sr/,
);
test.serial(
  refused,
  'another size',
  { 'sr/a.png': small, 'hr/a.png': flat(12, 13, 1) },
  sr,
  1,
  /^osediff: a: expected a reference of 12x12 pixels, got 12x13/,
);
test.serial(
  refused,
  'a prior that is none',
  { 'sr/a.png': small, 'x.npz': 'text' },
  ['--sr', 'sr', '--niqe-prior', 'x.npz'],
  1,
  /^osediff: x\.npz: expected a NumPy \.npz archive/,
);

test.serial('an existing CSV is kept without --overwrite, and found before the work', async (t) => {
  const cwd = await folderOf(t, { 'sr/a.png': small, 'hr/a.png': small, 'a.csv': 'mine' });
  const psnrOnly = [...sr, '--measures', 'psnr', '--csv', 'a.csv'];
  const { code, stdout, stderr } = await evaluateIn(cwd, ...psnrOnly);
  t.regex(stderr, /^osediff: a\.csv: .*--overwrite/);
  t.deepEqual([code, stdout, readFileSync(join(cwd, 'a.csv'), 'utf8')], [1, '', 'mine']);
  t.is((await evaluateIn(cwd, ...psnrOnly, '--overwrite')).code, 0);
  t.is(readFileSync(join(cwd, 'a.csv'), 'utf8'), 'name,psnr\r\na,80\r\n');
  t.false(existsSync(join(cwd, 'a.html')));
});
