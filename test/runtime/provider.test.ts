/** @file What stands in the way of a provider, on machines of several kinds. */
import test from 'ava';
import { explainProviderError } from '../../src/runtime/cuda-errors.ts';
import {
  findLibrary,
  libraryFolders,
  nvidiaLibraries,
  preloadNvidia,
} from '../../src/runtime/preload.ts';
import { type Machine, nvidiaDriver, obstacle } from '../../src/runtime/provider.ts';

/** A Linux machine with these files; a folder's names are those of the files below it. */
function linux(files: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}): Machine {
  const paths = Object.keys(files);
  return {
    platform: 'linux',
    arch: 'x64',
    env: { HOME: '/home/u', ...env },
    exists: (path) => paths.some((p) => p === path || p.startsWith(`${path}/`)),
    list: (folder) => [
      ...new Set(
        paths
          .filter((p) => p.startsWith(`${folder}/`))
          .map((p) => p.slice(folder.length + 1).split('/')[0]!),
      ),
    ],
    read: (path) => files[path],
  };
}

const driver = (version: string): Record<string, string> => ({
  '/proc/driver/nvidia/version': `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Tue\n`,
});
const provider = { '/b/libonnxruntime_providers_cuda.so': '' };

test('CUDA needs a platform, a driver, a new one, and the provider, in this order', (t) => {
  const said = (machine: Machine): string | undefined => obstacle('cuda', machine, '/b');
  t.regex(said({ ...linux({}), platform: 'win32' })!, /Linux on x64 only, this is win32/);
  t.regex(said(linux({}))!, /no NVIDIA driver is loaded/);
  t.regex(said(linux(driver('535.183.01')))!, /is 535\.183\.01, .*580.*update the driver/);
  t.regex(said(linux(driver('580.82.07')))!, /run "osediff gpu install"/);
  t.is(said(linux({ ...driver('580.82.07'), ...provider })), undefined);
  t.is(nvidiaDriver(linux(driver('580.82.07'))), '580.82.07');
  t.is(nvidiaDriver(linux({ '/usr/lib/wsl/lib/libcuda.so.1': '' })), 'wsl');
});

test('WebGPU on Linux needs a Vulkan driver and a card, or to be told of a driver', (t) => {
  const icd = { '/usr/share/vulkan/icd.d/radeon.json': '' };
  t.regex(obstacle('webgpu', linux({}), '/b')!, /no Vulkan driver/);
  t.regex(obstacle('webgpu', linux(icd), '/b')!, /no graphics card/);
  t.is(obstacle('webgpu', linux({ ...icd, '/dev/dri/renderD128': '' }), '/b'), undefined);
  t.is(obstacle('webgpu', linux({}, { VK_ICD_FILENAMES: '/x.json' }), '/b'), undefined);
  t.is(obstacle('webgpu', { ...linux({}), platform: 'win32' }, '/b'), undefined);
  t.regex(
    obstacle('webgpu', { ...linux({}), arch: 'arm64' }, '/b')!,
    /no WebGPU for linux on arm64/,
  );
  t.is(obstacle('cpu', linux({}), '/b'), undefined);
});

for (const [text, says] of [
  [
    'CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version',
    /driver is too old.*580/,
  ],
  [
    'CUDA failure 100: no CUDA-capable device is detected',
    /no NVIDIA card is visible.*CUDA_VISIBLE/,
  ],
  [
    '[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : cuDNN is unavailable: dlopen failed for libcudnn.so',
    /cuDNN is missing: run "osediff gpu install"/,
  ],
  [
    'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library',
    /a CUDA library cannot be loaded: run/,
  ],
  ['Failed to get a WebGPU adapter: No supported adapters', /Mesa 25/],
  ['CUDA failure 2: out of memory', /smaller --tile/],
  ['something else\nwith more', /^something else$/],
] as const) {
  test(`explains: ${text.split('\n')[0]!.slice(0, 60)}`, (t) => {
    t.regex(explainProviderError(text), says);
  });
}

test('libraries are taken from our folder first, then Python, CUDA_HOME and the system', (t) => {
  const machine = linux(
    {
      '/ours/nvidia/cu13/lib/libcudart.so.13': '',
      '/venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcudart.so.13': '',
      '/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9': '',
      '/cuda/lib64/libcublas.so.13': '',
    },
    { VIRTUAL_ENV: '/venv', CUDA_HOME: '/cuda' },
  );
  const folders = libraryFolders('/ours', machine);
  t.is(findLibrary('libcudart.so.13', folders, machine), '/ours/nvidia/cu13/lib/libcudart.so.13');
  const opened: string[] = [];
  const loaded = preloadNvidia(
    folders,
    (path) => {
      opened.push(path);
      return path === 'libcurand.so.10' ? `${path}: cannot open shared object file` : undefined;
    },
    machine,
  );
  t.deepEqual(opened, [
    '/ours/nvidia/cu13/lib/libcudart.so.13',
    'libcublasLt.so.13',
    '/cuda/lib64/libcublas.so.13',
    'libcurand.so.10',
    'libnvrtc.so.13',
    '/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9',
  ]);
  const missing = loaded.filter(({ path }) => path === undefined);
  t.deepEqual(
    missing.map(({ file, reason }) => [file, reason]),
    [['libcurand.so.10', 'libcurand.so.10: cannot open shared object file']],
  );
});

test('preloading tells what the system lacks, and keeps what is no library out', (t) => {
  const loaded = preloadNvidia(['/nowhere']);
  t.is(loaded.length, nvidiaLibraries.length);
  for (const { path, reason } of loaded) t.true((path === undefined) !== (reason === undefined));
});
