/** @file Loads NVIDIA's libraries into this process, where onnxruntime's CUDA provider then finds them. */
import { join } from 'node:path';
import { type Machine, thisMachine } from './provider.ts';

/** NVIDIA's libraries in the order in which they need each other. */
export const nvidiaLibraries: readonly NvidiaLibrary[] = [
  { file: 'libcudart.so.13', wheel: 'nvidia-cuda-runtime', needed: true },
  { file: 'libcublasLt.so.13', wheel: 'nvidia-cublas', needed: true },
  { file: 'libcublas.so.13', wheel: 'nvidia-cublas', needed: true },
  { file: 'libcurand.so.10', wheel: 'nvidia-curand', needed: true },
  { file: 'libnvrtc.so.13', wheel: 'nvidia-cuda-nvrtc', needed: false },
  { file: 'libcudnn.so.9', wheel: 'nvidia-cudnn-cu13', needed: true },
];

export interface NvidiaLibrary {
  readonly file: string;
  /** The package that holds it. */
  readonly wheel: string;
  /** Whether convolutional networks cannot do without it. */
  readonly needed: boolean;
}

/** What came of one library. */
export interface Loaded {
  readonly file: string;
  readonly needed: boolean;
  /** Where it was found; its bare name where the system knows it; undefined when it was not. */
  readonly path: string | undefined;
  /** Why it could not be loaded. */
  readonly reason?: string;
}

/** Opens a library so that it stays; gives the loader's complaint, or undefined when all is well. */
export type Open = (path: string) => string | undefined;

/**
 * Node's dlopen wants a Node module and closes what is none; RTLD_NODELETE keeps it. Its complaint
 * "did not self-register" therefore is the sign of success (seen on Node 20 and 22).
 */
const openForGood: Open = (path) => {
  const [lazy, noDelete] = [0x1, 0x1000];
  try {
    process.dlopen({ exports: {} }, path, lazy | noDelete);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return /did not self-register/.test(message) ? undefined : message;
  }
};

/**
 * Folders that may hold NVIDIA's libraries, the ones we installed first.
 *
 * @param ours where `osediff gpu install` puts them: the parent of `nvidia/`
 */
export function libraryFolders(ours: string, machine: Machine = thisMachine): readonly string[] {
  const { env } = machine;
  const roots = [ours];
  const python = [env['VIRTUAL_ENV'], env['CONDA_PREFIX']].filter((root) => root !== undefined);
  for (const root of python) {
    for (const name of machine.list(join(root, 'lib'))) {
      if (name.startsWith('python')) roots.push(join(root, 'lib', name, 'site-packages'));
    }
  }
  const wheels = roots.flatMap((root) =>
    machine.list(join(root, 'nvidia')).map((part) => join(root, 'nvidia', part, 'lib')),
  );
  const toolkit = [env['CUDA_HOME'], env['CUDA_PATH']].filter((root) => root !== undefined);
  return [
    ...wheels,
    ...toolkit.map((root) => join(root, 'lib64')),
    ...(env['CONDA_PREFIX'] ? [join(env['CONDA_PREFIX'], 'lib')] : []),
    '/usr/local/cuda/lib64',
  ];
}

/** The first folder that has the file. */
export function findLibrary(
  file: string,
  folders: readonly string[],
  machine: Machine = thisMachine,
): string | undefined {
  const folder = folders.find((candidate) => machine.exists(join(candidate, file)));
  return folder === undefined ? undefined : join(folder, file);
}

/**
 * Loads each library from the folders, else from where the system's loader looks. Threads share
 * them. Nothing is thrown: the proving model tells whether what was loaded will do.
 */
export function preloadNvidia(
  folders: readonly string[],
  open: Open = openForGood,
  machine: Machine = thisMachine,
): readonly Loaded[] {
  return nvidiaLibraries.map(({ file, needed }) => {
    const path = findLibrary(file, folders, machine) ?? file;
    const reason = open(path);
    return reason === undefined
      ? { file, needed, path }
      : { file, needed, path: undefined, reason };
  });
}
