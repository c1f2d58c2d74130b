/** @file The parity run on the small models of test/fixtures/tiny, whole and with faults put in. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { temporaryFolder } from '../helpers/folder.ts';
import { openFolder } from './folder.ts';
import { parity } from './parity.ts';
import type { Row } from './row.ts';

const fixture = fileURLToPath(new URL('../fixtures/tiny/', import.meta.url));
const program = fileURLToPath(new URL('run.ts', import.meta.url));

/** A folder with some of the fixture's files in it. */
function folderWith(t: ExecutionContext, ...names: readonly string[]): string {
  const folder = temporaryFolder(t);
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(fixture, name), join(folder, name), { recursive: true });
  }
  return folder;
}

/** Runs the program as `npm run parity` does. */
function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const node = ['--conditions=osediff-source', '--import=tsx', program, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { maxBuffer: 2 ** 26 }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

/** Adds 1 to the last value of a file: of the last array in it. */
function breakLastValue(file: string): void {
  const bytes = readFileSync(file);
  bytes.writeFloatLE(bytes.readFloatLE(bytes.length - 4) + 1, bytes.length - 4);
  writeFileSync(file, bytes);
}

async function rowsOf(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of parity(openFolder(folder, 'cpu'))) rows.push(row);
  return rows;
}

const count = (rows: readonly Row[], status: Row['status']): number =>
  rows.filter((row) => row.status === status).length;

test('every vector of test/fixtures/tiny is covered and ok', async (t) => {
  const rows = await rowsOf(fixture);
  t.deepEqual(
    rows.filter(({ status }) => status !== 'ok'),
    [],
  );
  for (const name of ['unet', 'sd1_unet', 'compact_vae', 'text_encoder', 'generator', 'schedule']) {
    t.true(
      rows.some(({ file }) => file === `vectors/${name}.safetensors`),
      name,
    );
  }
  t.true(rows.some(({ file }) => file === 'vectors/tokenizer.json'));
  t.true(rows.some(({ file }) => file === 'lora/peft-vae/adapter_model.safetensors'));
});

test('prints one line an array and exits with 0', async (t) => {
  const folder = folderWith(t, 'models/tiny', 'vectors/schedule.safetensors');
  const { code, out } = await run(folder);
  t.is(code, 0);
  const lines = out.trimEnd().split('\n');
  t.is(lines.length, 2);
  for (const line of lines) {
    t.regex(line, /^ok vectors\/schedule\.safetensors:(alphas_cumprod|sinusoid) [\d.e-]+ 1e-\d$/);
  }
});

test('exits with 1 when an array is off, and tells which', async (t) => {
  const folder = folderWith(t, 'models/tiny', 'vectors/schedule.safetensors');
  breakLastValue(join(folder, 'vectors/schedule.safetensors'));
  const { code, out } = await run(folder);
  t.is(code, 1);
  t.is(out.match(/^FAIL /gm)?.length, 1);
  t.is(out.match(/^ok /gm)?.length, 1);
  t.regex(out, /^FAIL vectors\/schedule\.safetensors:\w+ (1|0\.99\d*|1\.0\d*) 1e-\d$/m);
});

test('exits with 1 when the folder holds nothing', async (t) => {
  const { code, out } = await run(temporaryFolder(t));
  t.is(code, 1);
  t.is(out, '');
});

test('exits with 1 and one line when there is no such folder', async (t) => {
  const { code, err } = await run(join(temporaryFolder(t), 'none'));
  t.is(code, 1);
  t.regex(err, /^\S+none: expected a folder of reference vectors, got none\.\n$/);
});

test('exits with 1 and one line without a folder', async (t) => {
  const { code, err } = await run();
  t.is(code, 1);
  t.regex(err, /^parity: expected one folder\..*\n$/);
});

test('exits with 1 and one line for a device that does not exist', async (t) => {
  const { code, out, err } = await run(fixture, '--device', 'abacus');
  t.is(code, 1);
  t.is(out, '');
  t.is(err, 'device: expected cpu, cuda, cuda:N or webgpu, got "abacus".\n');
});

test('a text encoder that is off by one value fails in that array alone', async (t) => {
  const folder = folderWith(t, 'models/tiny', 'vectors/text_encoder.safetensors');
  breakLastValue(join(folder, 'vectors/text_encoder.safetensors'));
  const rows = await rowsOf(folder);
  t.deepEqual(
    rows.map(({ status, key }) => [status, key]),
    [['FAIL', 'last_hidden_state']],
  );
});

test('what no section computes is not covered, and changes nothing', async (t) => {
  const folder = folderWith(t, 'models/tiny', 'vectors/schedule.safetensors');
  mkdirSync(join(folder, 'elsewhere'));
  cpSync(join(fixture, 'vectors/vae.safetensors'), join(folder, 'elsewhere/new.safetensors'));
  writeFileSync(join(folder, 'elsewhere/more.json'), '{"psnr": 1, "ssim": 2}');
  const rows = await rowsOf(folder);
  t.is(count(rows, 'ok'), 2);
  t.is(count(rows, 'FAIL'), 0);
  const keys = rows.filter(({ status }) => status === 'not-covered').map(({ key }) => key);
  t.true(keys.includes('encode.0.mean'));
  t.true(keys.includes('psnr'));
});

test('a config that is not built fails its own arrays, and the others go on', async (t) => {
  const vectors = ['vectors/sd1_unet.safetensors', 'vectors/schedule.safetensors'];
  const folder = folderWith(t, 'models/tiny', 'models/tiny-sd1', ...vectors);
  const config = join(folder, 'models/tiny-sd1/unet/config.json');
  const json = JSON.parse(readFileSync(config, 'utf8')) as object;
  writeFileSync(config, JSON.stringify({ ...json, time_embedding_type: 'fourier' }));
  const rows = await rowsOf(folder);
  t.is(count(rows, 'ok'), 2);
  const failed = rows.filter(({ status }) => status === 'FAIL');
  t.deepEqual(failed.map(({ key }) => key).sort(), ['0.eps_t999', '1.eps_t500']);
});

test('LoRA that differs from the checkpoint fails', async (t) => {
  const adapter = 'lora/peft-vae/adapter_model.safetensors';
  const folder = folderWith(t, 'models/tiny', 'lora/osediff.pkl', 'lora/peft-vae');
  t.is(count(await rowsOf(folder), 'FAIL'), 0);
  const file = join(folder, adapter);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 0x80; // the sign of one float16 or float32
  writeFileSync(file, bytes);
  const failed = (await rowsOf(folder)).filter(({ status }) => status === 'FAIL');
  t.true(failed.length >= 1);
  t.true(failed.some(({ file: name }) => name === adapter));
});

test('vectors of a model that is not there are not covered', async (t) => {
  const folder = folderWith(t, 'models/tiny', 'vectors/sd1_unet.safetensors');
  rmSync(join(folder, 'models/tiny'), { recursive: true });
  const rows = await rowsOf(folder);
  t.true(rows.length > 0);
  t.is(count(rows, 'not-covered'), rows.length);
});
