import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { importModel } from '../../src/weights/import-model.ts';
import { mainFile, type Outcome, runCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden } from '../helpers/golden.ts';
import { expected, writeThirds, writeTinyModel } from '../helpers/tiny-model.ts';

// Serial: every test has a store of its own, which an environment variable names.

function run(args: string): Promise<Outcome> {
  return runCli(['model', ...args.split(' ')], { file: mainFile });
}

/** An empty store. */
function emptyStore(t: ExecutionContext): string {
  const home = temporaryFolder(t);
  process.env['OSEDIFF_HOME'] = home;
  return join(home, 'models');
}

/** A store with the model "small". */
async function smallStore(t: ExecutionContext): Promise<string> {
  const models = emptyStore(t);
  const from = temporaryFolder(t);
  await writeTinyModel(from);
  await importModel(from, { name: 'small', expected });
  return models;
}

test.serial('model list shows a line for each model', async (t) => {
  await smallStore(t);
  const { code, stdout, stderr } = await run('list');
  t.is(code, 0);
  t.is(stderr, '');
  t.regex(stdout, /^NAME +PLACE +PRECISION +PROMPT +SIZE\n/);
  t.regex(stdout, /^small +stored +fp32 +null-prompt +\d+\.\d MB$/m);
});

test.serial('model list --json is an array', async (t) => {
  const models = await smallStore(t);
  const { stdout } = await run('list --json');
  const found = (JSON.parse(stdout) as { name: string; folder: string }[]).find(({ name }) => name === 'small'); // prettier-ignore
  t.is(found?.folder, join(models, 'small'));
});

test.serial('model info says where a model came from', async (t) => {
  const models = await smallStore(t);
  const { stdout } = await run('info small');
  t.regex(stdout, /^licence +openrail\+\+$/m);
  t.regex(stdout, /^unet +UNet2DConditionModel, 0\.00 M parameters$/m);
  const json = JSON.parse((await run('info small --json')).stdout) as { manifest: object };
  t.like(json, { name: 'small', folder: join(models, 'small'), place: 'stored' });
  t.like(json.manifest, { precision: 'fp32', licence: 'openrail++' });
});

test.serial('model verify exits with 1 and names the file that changed', async (t) => {
  const models = await smallStore(t);
  const good = await run('verify small');
  t.deepEqual([good.code, good.stderr], [0, '']);
  await appendFile(join(models, 'small', 'tokenizer/vocab.json'), ' ');
  const { code, stdout, stderr } = await run('verify small');
  t.is(code, 1);
  t.is(stdout, 'tokenizer/vocab.json: changed\n');
  t.regex(stderr, /^osediff: small: expected every file .* got 1 that differ\..*\n$/);
});

test.serial('model remove removes', async (t) => {
  const models = await smallStore(t);
  t.like(await run('remove small'), { code: 0, stdout: 'small\n', stderr: '' });
  t.deepEqual(await readdir(models), []);
  const { code, stderr } = await run('remove small');
  t.is(code, 1);
  t.regex(stderr, /^osediff: "small": expected an imported model.*\n$/);
});

const fails = test.macro<[args: string, code: number, message: RegExp]>({
  async exec(t, args, code, message) {
    emptyStore(t);
    const outcome = await run(args);
    t.is(outcome.code, code);
    t.is(outcome.stdout, '');
    t.regex(outcome.stderr, message);
    t.is(outcome.stderr.split('\n').length, 2);
  },
  title: (_, args, code) => `model ${args} exits with ${code} and one line`,
});
test.serial(fails, 'import x', 2, /--name: expected a name for the model, got none/);
test.serial(
  fails,
  'import /none/such --name a',
  1,
  /^osediff: \/none\/such: no such file or folder/,
);
test.serial(fails, 'import . --name ../a', 2, /^osediff: model name: expected letters/);
test.serial(fails, 'import . --name a --precision bf16', 2, /Allowed choices are fp32, fp16/);
test.serial(fails, 'import . --name a --lora-scale x', 2, /Expected a number/);
test.serial(fails, 'info none', 1, /"none": expected a model's folder or one of/);
test.serial(fails, 'verify none', 1, /"none": expected a model's folder or one of/);

const tiny = golden('models/tiny');
(tiny ? test.serial : test.serial.skip)(
  'model import takes a whole model with its LoRA (skipped without ../shared)',
  async (t) => {
    const models = emptyStore(t);
    const lora = golden('lora/osediff.pkl')!;
    const { code, stdout, stderr } = await run(
      `import ${tiny} --lora ${lora} --name sd21 --precision fp16 --variant fp16`,
    );
    t.deepEqual([code, stderr, stdout], [0, '', `${join(models, 'sd21')}\n`]);
    const { manifest } = JSON.parse((await run('info sd21 --json')).stdout) as { manifest: { files: object; prompt: string; parts: Record<string, { parameters: number }>; source: { weights: Record<string, string> } } }; // prettier-ignore
    t.is(manifest.prompt, 'dape');
    t.is(manifest.parts['unet']!.parameters, 715_700);
    t.is(manifest.source.weights['unet'], 'unet/diffusion_pytorch_model.fp16.safetensors');
    t.true('lora.safetensors' in manifest.files);
    t.is((await run('verify sd21')).code, 0);
  },
);

const old = golden('models/tiny-sd1');
(old ? test.serial : test.serial.skip)(
  'model import takes files of 2022, and refuses a LoRA of another base (skipped without ../shared)',
  async (t) => {
    const models = emptyStore(t);
    const { code, stderr } = await run(
      `import ${old} --lora ${golden('lora/osediff.pkl')} --name sd1`,
    );
    t.is(code, 1);
    t.regex(stderr, /^osediff: osediff\.pkl: does not fit the base model: "\w.*\n$/);
    t.deepEqual(await readdir(models), []);
    t.like(await run(`import ${old} --name sd1`), { code: 0, stderr: '' });
  },
);

test.serial(
  'model import --kind metric tells by the keys whose weights a file holds',
  async (t) => {
    const models = emptyStore(t);
    const file = join(temporaryFolder(t), 'whatever.safetensors');
    await writeThirds(file, { alpha: [1, 1475, 1, 1], beta: [1, 1475, 1, 1] });
    const { code, stdout, stderr } = await runCli(['model', 'import', file, '--kind', 'metric'], {
      file: mainFile,
    });
    t.deepEqual([code, stdout, stderr], [0, `${join(models, 'dists')}\n`, '']);
    t.regex((await run('list')).stdout, /^dists +stored +fp32 +\(metric\) +0\.0 MB$/m);
    t.regex((await run('verify dists')).stdout, /every file is as its manifest says/);

    const named = ['model', 'import', file, '--kind', 'metric', '--name', 'mine'];
    const refused = await runCli(named, { file: mainFile });
    t.is(refused.code, 2);
    t.regex(refused.stderr, /--name: expected another kind of model, got --kind metric/);
    const upscaled = await runCli(['upscale', 'a.png', '--model', 'dists'], { file: mainFile });
    t.is(upscaled.code, 1);
  },
);
