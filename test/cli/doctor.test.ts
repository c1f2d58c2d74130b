/** @file The doctor: every broken state of CUDA and WebGPU has its line and its remedy. */
import test from 'ava';
import { checksText, finding } from '../../src/cli/doctor-check.ts';
import { checkDevices, type Devices } from '../../src/cli/doctor-devices.ts';
import { checkMachine } from '../../src/cli/doctor-machine.ts';
import type { Answers } from '../../src/pipeline/device.ts';
import type { Proof } from '../../src/pipeline/proving.ts';
import { explainProviderError } from '../../src/runtime/cuda-errors.ts';
import { nvidiaLibraries } from '../../src/runtime/preload.ts';
import { thisMachine } from '../../src/runtime/provider.ts';
import { runCli, mainFile } from '../helpers/cli.ts';

const right: Proof = { right: true, seconds: 0.002, processor: 0.01 };

interface State {
  readonly driver?: string;
  readonly capability?: string;
  /** What stands in the way of the provider. */
  readonly obstacle?: string;
  /** Onnxruntime's own text when the proving model is run. */
  readonly error?: string;
  readonly missing?: string;
}

function devices({
  driver = '580.82.07',
  capability = '9.0',
  obstacle,
  error,
  missing,
}: State): Devices {
  const cuda: Proof = error ? { right: false, reason: explainProviderError(error) } : right;
  const proofs: Answers = { cpu: right, cuda };
  return {
    machine: {
      ...thisMachine,
      platform: 'linux',
      arch: 'x64',
      exists: (path) => path.endsWith('libonnxruntime_providers_cuda.so'),
      read: () => `Kernel Module  ${driver}  Tue`,
    },
    trials: {
      obstacle: (provider) =>
        provider === 'webgpu' ? 'no Vulkan driver is installed: install one' : obstacle,
      prove: async (device) => await Promise.resolve(proofs[device]!),
      recall: async () => await Promise.resolve({}),
      remember: async () => await Promise.resolve(),
    },
    cards: async () => await Promise.resolve([{ name: 'NVIDIA A', capability }]),
    preload: () =>
      nvidiaLibraries.map(({ file, needed }) =>
        file === missing
          ? { file, needed, path: undefined, reason: `${file}: cannot open shared object file` }
          : { file, needed, path: `/lib/${file}` },
      ),
  };
}

test('all is well', async (t) => {
  const checks = await checkDevices(devices({}));
  t.true(checks.every(({ state, name }) => state === 'ok' || name === 'webgpu'));
  t.is(checks.at(-1)!.text, 'cuda');
});

for (const [title, state, line] of [
  [
    'an old driver',
    { driver: '535.1', obstacle: 'the NVIDIA driver is 535.1: update the driver' },
    /driver +fault +NVIDIA 535\.1 is too old\n +-> Update it to 580 or later\.\n/,
  ],
  [
    'a card without code',
    { capability: '6.1' },
    /card +fault +NVIDIA A has compute capability 6\.1.*\n +-> Use --device webgpu\.\n/,
  ],
  [
    'no provider',
    { obstacle: 'the CUDA libraries are not installed: run "osediff gpu install"' },
    /cuda +note +the CUDA libraries are not installed\n +-> Run "osediff gpu install"\.\n/,
  ],
  [
    'a library that is missing',
    {
      missing: 'libcublas.so.13',
      error: 'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library',
    },
    /libcublas\.so\.13 +fault +libcublas\.so\.13: cannot open shared object file\n +-> Run "osediff gpu install"\.\n[^]*cuda +fault +a CUDA library cannot be loaded\n/,
  ],
  [
    'no cuDNN',
    {
      missing: 'libcudnn.so.9',
      error: 'NOT_IMPLEMENTED : cuDNN is unavailable: dlopen failed for libcudnn.so',
    },
    /cuda +fault +cuDNN is missing\n +-> Run "osediff gpu install"\.\n/,
  ],
  [
    'no card',
    { error: 'CUDA failure 100: no CUDA-capable device is detected' },
    /cuda +fault +no NVIDIA card is visible\n +-> Check "nvidia-smi" and CUDA_VISIBLE_DEVICES\.\n/,
  ],
  [
    'a driver that the run-time refuses',
    { error: 'CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version' },
    /cuda +fault +the NVIDIA driver is too old for CUDA 13\n +-> Update it to 580 or later\.\n/,
  ],
  [
    'wrong numbers',
    { error: 'it computes wrongly (off by 0.2)' },
    /cuda +fault +it computes wrongly \(off by 0\.2\)\n/,
  ],
] as const) {
  test(`names ${title}, and auto does without`, async (t) => {
    const checks = await checkDevices(devices(state));
    const text = checksText(checks);
    t.regex(text, line);
    if (!('capability' in state)) t.regex(text, /auto +ok +cpu; not cuda: /);
  });
}

test('a processor that does not compute is a fault with a remedy', async (t) => {
  const broken = devices({});
  const trials = {
    ...broken.trials,
    prove: async () => await Promise.resolve({ right: false, reason: 'no binding' }),
  };
  const [cpu] = await checkDevices({ ...broken, trials });
  t.is(cpu!.state, 'fault');
  t.regex(cpu!.remedy!, /ONNXRUNTIME_NODE_INSTALL=skip npm install/);
});

test('a finding is cut at its last colon', (t) => {
  t.deepEqual(finding('a', 'note', 'x: y: do z'), {
    name: 'a',
    state: 'note',
    text: 'x: y',
    remedy: 'Do z.',
  });
});

test('looks at versions, memory, disk, models, ffmpeg and GIMP', async (t) => {
  const names = (await checkMachine()).map(({ name }) => name.split(' ')[0]);
  for (const name of [
    'osediff',
    'node',
    'onnxruntime-node',
    'memory',
    'disk',
    'model',
    'ffmpeg',
    'gimp',
  ]) {
    t.true(names.includes(name), name);
  }
});

test('prints one JSON array for programs', async (t) => {
  const { stdout } = await runCli(['doctor', '--json'], { file: mainFile });
  const checks = JSON.parse(stdout) as { name: string; state: string }[];
  t.is(checks.find(({ name }) => name === 'cpu')?.state, 'ok');
});
