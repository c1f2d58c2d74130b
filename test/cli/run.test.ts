import { readFileSync } from 'node:fs';
// One process at a time: each takes a core and some 100 MB.
import test from 'ava';
import { mainFile, runCli } from '../helpers/cli.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

test.serial('--version prints the version of the package', async (t) => {
  const { code, stdout, stderr } = await runCli(['--version'], { file: mainFile });
  t.deepEqual([code, stdout, stderr], [0, `${version}\n`, '']);
});

for (const args of [['--help'], ['-h'], ['help']]) {
  test.serial(`${args.join(' ')} lists the commands`, async (t) => {
    const { code, stdout, stderr } = await runCli(args, { file: mainFile });
    t.is(code, 0);
    t.regex(stdout, /^Usage: osediff /);
    for (const command of ['upscale', 'model', 'degrade', 'evaluate']) {
      t.regex(stdout, new RegExp(`\\n {2}${command} `));
    }
    t.is(stderr, '');
  });
}

test.serial('upscale --help lists its options', async (t) => {
  const { code, stdout } = await runCli(['upscale', '--help'], { file: mainFile });
  t.is(code, 0);
  for (const option of '--output --scale --model --lora --tile --as-published --json'.split(' ')) {
    t.true(stdout.includes(option), option);
  }
});

test.serial('no command at all is wrong usage, answered by the help', async (t) => {
  const { code, stdout, stderr } = await runCli([], { file: mainFile });
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /^Usage: osediff /);
});

const isWrongUsage = test.macro<[string, string]>({
  async exec(t, args, message) {
    const { code, stdout, stderr } = await runCli(args.split(' '), { file: mainFile });
    t.is(code, 2);
    t.is(stdout, '');
    t.is(stderr, `osediff: ${message}\n`);
  },
  title: (_, args) => `"${args}" is wrong usage, said in one line`,
});

test.serial(isWrongUsage, 'upscal', "unknown command 'upscal' (Did you mean upscale?)");
test.serial(isWrongUsage, '--json', "unknown option '--json'");
test.serial(isWrongUsage, 'upscale', "missing required argument 'input'");
test.serial(
  isWrongUsage,
  'upscale a.png --scal 4',
  "unknown option '--scal' (Did you mean --scale?)",
);
test.serial(
  isWrongUsage,
  'upscale a.png --tile 3.5',
  "option '--tile <pixels>' argument '3.5' is invalid. Expected a whole number of at least 1.",
);
test.serial(
  isWrongUsage,
  'upscale a.png --color vivid',
  "option '--color <method>' argument 'vivid' is invalid. Allowed choices are adain, wavelet, none.",
);
test.serial(
  isWrongUsage,
  'upscale a.png --seed 4',
  '--seed: expected --sample beside it, got nothing that is random.',
);
