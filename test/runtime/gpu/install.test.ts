/** @file Bringing CUDA: what is found, fetched, checked, unpacked and put in its place, and each way to fail. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parseCards, hasCode } from '../../../src/runtime/gpu/card.ts';
import {
  install,
  type InstallOptions,
  planInstall,
  type Supply,
} from '../../../src/runtime/gpu/install.ts';
import { copyPackage } from '../../../src/runtime/gpu/place.ts';
import { wheelFile, wheelsFor } from '../../../src/runtime/gpu/releases.ts';
import { nvidiaLibraries } from '../../../src/runtime/preload.ts';
import {
  bindingFolder,
  type Machine,
  onnxruntimeVersion,
  thisMachine,
} from '../../../src/runtime/provider.ts';
import { DeviceError, FormatError, PathError } from '../../../src/tensor/errors.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { type Manners, serveWheels, standIns } from './wheels.ts';

const [provider, cudnn] = standIns.map(({ wheel }) => wheel.name) as [string, string];

function withDriver(version: string | undefined): Machine {
  const text = `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Tue`;
  return {
    ...thisMachine,
    platform: 'linux',
    arch: 'x64',
    read: () => (version === undefined ? undefined : text),
  };
}

/** An installation of onnxruntime-node, a data folder, a good driver and no library of NVIDIA's. */
function setting(t: ExecutionContext, machine: Machine = withDriver('580.82.07')): InstallOptions {
  const root = temporaryFolder(t);
  const modules = join(root, 'node_modules');
  const binding = join(modules, 'onnxruntime-node', 'bin', 'napi-v6', 'linux', 'x64');
  for (const folder of [
    binding,
    join(modules, 'onnxruntime-node', 'dist'),
    join(modules, 'onnxruntime-common'),
  ])
    mkdirSync(folder, { recursive: true });
  writeFileSync(join(modules, 'onnxruntime-node', 'package.json'), '{}');
  writeFileSync(join(binding, 'onnxruntime_binding.node'), 'binding');
  const folder = join(root, 'data');
  return {
    folder,
    binding,
    machine,
    wheels: standIns.map(({ wheel }) => wheel),
    cards: async () => await Promise.resolve([{ name: 'A', capability: '9.0' }]),
    preload: () => [
      existsSync(join(folder, 'nvidia/cudnn/lib/libcudnn.so.9'))
        ? { file: 'libcudnn.so.9', needed: true, path: 'there' }
        : { file: 'libcudnn.so.9', needed: true, path: undefined, reason: 'not found' },
    ],
  };
}

async function run(options: InstallOptions, supply: Supply): Promise<string> {
  return install(await planInstall(options), options, supply);
}

test('fetches what is missing, keeps libraries and licences, and links the provider', async (t) => {
  const options = setting(t);
  const { url } = await serveWheels(t);
  const told: number[] = [];
  const place = await run(options, {
    mirror: url,
    onProgress: (done, total) => told.push(done / total),
  });
  t.is(place, options.binding);
  const linked = join(options.binding, 'libonnxruntime_providers_cuda.so');
  t.is(readFileSync(linked, 'utf8'), 'onnxruntime/capi/libonnxruntime_providers_cuda.so');
  t.is(
    readFileSync(join(options.folder, 'nvidia/cudnn/lib/libcudnn.so.9'), 'utf8'),
    'nvidia/cudnn/lib/libcudnn.so.9',
  );
  t.deepEqual(readdirSync(join(options.folder, 'licences')).sort(), [cudnn, provider]);
  t.deepEqual(readdirSync(join(options.folder, 'provider')).sort(), [
    'libonnxruntime_providers_cuda.so',
    'libonnxruntime_providers_shared.so',
  ]);
  t.deepEqual(readdirSync(join(options.folder, 'downloads')), []);
  t.is(told.at(-1), 1);
  t.deepEqual((await planInstall(options)).missing, [], 'nothing is left to do');
});

test('goes on where the connection broke', async (t) => {
  const options = setting(t);
  const manners: Manners = { cut: 100 };
  const { url, ranges } = await serveWheels(t, manners);
  const error = await t.throwsAsync(run(options, { mirror: url }), { instanceOf: PathError });
  t.regex(error.message, /expected \d+ bytes, got 100 before .*Run the command again/);
  delete manners.cut;
  await run(options, { mirror: url });
  t.deepEqual(ranges, [undefined, 'bytes=100-', undefined]);
});

test('starts again where a server knows no ranges', async (t) => {
  const options = setting(t);
  const manners: Manners = { cut: 100, ignoreRange: true };
  const { url } = await serveWheels(t, manners);
  await t.throwsAsync(run(options, { mirror: url }));
  delete manners.cut;
  await t.notThrowsAsync(run(options, { mirror: url }));
});

test('a file with another hash is refused and deleted', async (t) => {
  const options = setting(t);
  const { url } = await serveWheels(t, { spoil: true });
  const error = await t.throwsAsync(run(options, { mirror: url }), { instanceOf: FormatError });
  t.regex(
    error.message,
    /expected a file with SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}\. It was deleted/,
  );
  t.deepEqual(readdirSync(join(options.folder, 'downloads')), []);
});

test('a server that refuses, or is not there, is named with the remedy', async (t) => {
  const { url } = await serveWheels(t, { status: 403 });
  const refused = await t.throwsAsync(run(setting(t), { mirror: url }), { instanceOf: PathError });
  t.regex(refused.message, /got status 403.*--from DIR/);
  const gone = await t.throwsAsync(run(setting(t), { mirror: 'http://127.0.0.1:9' }), {
    instanceOf: PathError,
  });
  t.regex(gone.message, /^http:\/\/127\.0\.0\.1:9\/.*expected the server to answer.*--from DIR/);
});

test('an abort is heeded', async (t) => {
  const { url } = await serveWheels(t);
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(run(setting(t), { mirror: url, signal }), { message: 'enough' });
});

test('takes brought files without network, and checks them', async (t) => {
  const from = temporaryFolder(t);
  const missing = await t.throwsAsync(run(setting(t), { from }), { instanceOf: PathError });
  t.regex(
    missing.message,
    /expected onnxruntime-gpu-1\.whl, got no such file\. Bring it from https:/,
  );
  for (const { wheel, bytes } of standIns) writeFileSync(join(from, wheelFile(wheel)), bytes);
  const options = setting(t);
  await run(options, { from });
  t.true(existsSync(join(options.binding, 'libonnxruntime_providers_cuda.so')));
  t.is(readdirSync(from).length, 2, 'what was brought stays');
  writeFileSync(join(from, `${cudnn}-1.whl`), 'no wheel');
  const other = await t.throwsAsync(run(setting(t), { from }), { instanceOf: FormatError });
  t.regex(other.message, /8 bytes instead of/);
});

test('libraries that are there are not fetched', async (t) => {
  const options: InstallOptions = {
    ...setting(t),
    preload: () =>
      nvidiaLibraries.map(({ file, needed }) => ({ file, needed, path: `/usr/${file}` })),
  };
  const { missing } = await planInstall(options);
  t.deepEqual(
    missing.map(({ name }) => name),
    [provider],
  );
});

test('a copy of onnxruntime-node, for folders that are read-only, works where it lies', async (t) => {
  const copyTo = join(temporaryFolder(t), 'node_modules');
  const folder = await copyPackage(bindingFolder(), copyTo);
  t.true(realpathSync(folder).startsWith(realpathSync(copyTo)));
  const script =
    'console.log(Object.keys(require("onnxruntime-node")).includes("InferenceSession"))';
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], {
    cwd: dirname(copyTo),
  });
  t.is(stdout, 'true\n');
});

for (const [title, machine, cards, says] of [
  ['no driver', withDriver(undefined), undefined, /got none loaded\. Install .*580.*--gpus all/],
  ['an old driver', withDriver('535.183.01'), undefined, /got 535\.183\.01\. Update the driver/],
  ['a card without code', withDriver('580.1'), '6.1', /got X \(6\.1\)\. Use --device webgpu/],
  ['another platform', { ...thisMachine, platform: 'darwin' }, undefined, /got darwin on/],
] as const) {
  test(`refuses ${title} before anything is fetched`, async (t) => {
    const base = setting(t, machine);
    const options = cards
      ? { ...base, cards: async () => await Promise.resolve([{ name: 'X', capability: cards }]) }
      : base;
    const error = await t.throwsAsync(planInstall(options), { instanceOf: DeviceError });
    t.regex(error.message, says);
    t.false(existsSync(options.folder));
  });
}

test('an image without a card can be prepared', async (t) => {
  const options = { ...setting(t, withDriver(undefined)), withoutCard: true };
  t.is((await planInstall(options)).missing.length, 2);
});

test('nvidia-smi’s lines are read, and only cards with code count', (t) => {
  t.deepEqual(parseCards('NVIDIA H100 80GB HBM3, 9.0\nNVIDIA GeForce GTX 1080, 6.1\n'), [
    { name: 'NVIDIA H100 80GB HBM3', capability: '9.0' },
    { name: 'NVIDIA GeForce GTX 1080', capability: '6.1' },
  ]);
  t.deepEqual(
    ['6.1', '7.0', '7.5', '8.0', '8.6', '8.9', '9.0', '10.0', '12.0', '12.1'].filter(hasCode),
    ['7.5', '8.0', '8.6', '8.9', '9.0', '12.0'],
  );
});

test('the installed onnxruntime-node has pinned wheels for every library that it needs', (t) => {
  const wheels = wheelsFor(onnxruntimeVersion())!;
  t.truthy(wheels, 'add its wheels to src/runtime/gpu/releases.ts');
  const provided = wheels.flatMap(({ provides }) => provides);
  for (const { file } of nvidiaLibraries) t.true(provided.includes(file), file);
  for (const { url, sha256, bytes } of wheels) {
    t.regex(url, /^https:\/\/files\.pythonhosted\.org\/packages\/.*x86_64\.whl$/);
    t.regex(sha256, /^[0-9a-f]{64}$/);
    t.true(bytes > 1e6);
  }
  t.is(wheels[0]!.version, onnxruntimeVersion());
});
