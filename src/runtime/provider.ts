/** @file Which execution providers onnxruntime-node 1.30 has where, and what stands in the way of each. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, release } from 'node:os';
import { dirname, join } from 'node:path';

/** A provider; a device is one, or `cuda:N`. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

/** What a look at the machine needs, so that tests can bring another one. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether there is such a file or folder. */
  exists(path: string): boolean;
  /** Names in a folder; none where there is no such folder. */
  list(path: string): readonly string[];
  /** A file's text; undefined where it cannot be read. */
  read(path: string): string | undefined;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  platform: process.platform,
  arch: process.arch,
  env: process.env,
  exists: existsSync,
  list: (path) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  read: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
};

/** The provider of a device: `cuda` of `cuda:1`. */
export function providerOf(device: string): Provider {
  return device.split(':')[0] as Provider;
}

/** Version of the onnxruntime-node that is loaded. */
export function onnxruntimeVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('onnxruntime-node/package.json') as { version: string }).version;
}

/** The folder of onnxruntime-node's binding, where it looks for the CUDA provider. */
export function bindingFolder({ platform, arch }: Machine = thisMachine): string {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve('onnxruntime-node/package.json'));
  return join(root, 'bin', 'napi-v6', platform, arch);
}

/** Version of the NVIDIA driver's kernel module, such as `580.82.07`; undefined without one. */
export function nvidiaDriver(machine: Machine = thisMachine): string | undefined {
  const text = machine.read('/proc/driver/nvidia/version');
  const found = text && /Kernel Module\D*(\d+\.\d+(?:\.\d+)?)/.exec(text);
  if (found) return found[1];
  // Windows' driver, seen from its Linux subsystem, names no version here.
  return machine.exists('/usr/lib/wsl/lib/libcuda.so.1') ? 'wsl' : undefined;
}

/** Folders in which Vulkan's loader looks for drivers. */
function vulkanFolders({ env }: Machine): readonly string[] {
  const data = (env['XDG_DATA_DIRS'] || '/usr/local/share:/usr/share').split(':');
  const home = env['HOME'] ?? homedir();
  return ['/etc', ...data, join(home, '.local', 'share')].map((f) => join(f, 'vulkan', 'icd.d'));
}

/** Files that the environment names as Vulkan's drivers; undefined when it names none. */
function namedVulkanDrivers({ env }: Machine): string | undefined {
  return env['VK_DRIVER_FILES'] || env['VK_ICD_FILENAMES'] || undefined;
}

/** What keeps a provider from being tried at all, with the remedy; undefined when it may be tried. */
export function obstacle(
  provider: Provider,
  machine: Machine = thisMachine,
  binding: string = bindingFolder(machine),
): string | undefined {
  if (provider === 'cpu') return undefined;
  return provider === 'cuda' ? cudaObstacle(machine, binding) : webgpuObstacle(machine);
}

function cudaObstacle(machine: Machine, binding: string): string | undefined {
  const { platform, arch } = machine;
  if (platform !== 'linux' || arch !== 'x64') {
    return `onnxruntime has CUDA for Linux on x64 only, this is ${platform} on ${arch}`;
  }
  const driver = nvidiaDriver(machine);
  if (driver === undefined) return 'no NVIDIA driver is loaded';
  if (Number(driver.split('.')[0]) < oldestDriver) {
    return `the NVIDIA driver is ${driver}, CUDA 13 needs ${oldestDriver} or later: update the driver`;
  }
  if (!machine.exists(join(binding, cudaProvider))) {
    return 'the CUDA libraries are not installed: run "osediff gpu install"';
  }
  return undefined;
}

/** Major version of the oldest driver that CUDA 13 runs on. */
export const oldestDriver = 580;
/** The file whose presence beside the binding makes CUDA available. */
export const cudaProvider = 'libonnxruntime_providers_cuda.so';

function webgpuObstacle(machine: Machine): string | undefined {
  const { platform, arch } = machine;
  if (platform === 'win32' || (platform === 'darwin' && arch === 'arm64')) return undefined;
  if (platform !== 'linux' || arch !== 'x64') {
    return `onnxruntime has no WebGPU for ${platform} on ${arch}`;
  }
  if (namedVulkanDrivers(machine)) return undefined;
  if (!vulkanFolders(machine).some((folder) => machine.list(folder).length > 0)) {
    return 'no Vulkan driver is installed: install your card’s, on Debian mesa-vulkan-drivers';
  }
  const card =
    machine.list('/dev/dri').some((name) => name.startsWith('render')) ||
    machine.exists('/dev/nvidiactl') ||
    machine.exists('/dev/dxg');
  return card ? undefined : 'no graphics card is visible (no /dev/dri/render*)';
}

/**
 * Names everything that an answer about devices depends on; another name means: ask again. It costs a
 * few reads of small files and folders.
 *
 * @param version of this package
 */
export function environmentKey(version: string, machine: Machine = thisMachine): string {
  const { platform, arch, env } = machine;
  const drivers = vulkanFolders(machine).flatMap((folder) =>
    machine.list(folder).map((name) => stamp(join(folder, name))),
  );
  const binding = join(bindingFolder(machine), cudaProvider);
  const parts = [
    version,
    onnxruntimeVersion(),
    platform,
    arch,
    release(),
    nvidiaDriver(machine),
    namedVulkanDrivers(machine)?.split(':').map(stamp),
    drivers,
    machine.list('/dev/dri'),
    stamp(binding),
    env['CUDA_VISIBLE_DEVICES'],
    env['LD_LIBRARY_PATH'],
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** A file's name, time and size, as far as it is there. */
function stamp(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false });
  return `${path} ${status?.mtimeMs} ${status?.size}`;
}
