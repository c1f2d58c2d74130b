/** @file Where `osediff gpu install` keeps its files, and how a process takes them into use. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { useOrtCopy } from '../runtime/ort.ts';
import { libraryFolders, type Loaded, preloadNvidia } from '../runtime/preload.ts';
import { onnxruntimeVersion, providerOf } from '../runtime/provider.ts';
import { dataFolder } from '../weights/data-folder.ts';

/** The folder of everything for this version of onnxruntime-node: `nvidia/`, and perhaps a copy of it. */
export function gpuFolder(): string {
  return join(dataFolder(), 'gpu', `onnxruntime-${onnxruntimeVersion()}`);
}

/** The copy of onnxruntime-node for installations that cannot be written to; undefined without one. */
export function ortCopy(): string | undefined {
  const folder = join(gpuFolder(), 'node_modules');
  return existsSync(join(folder, 'onnxruntime-node')) ? folder : undefined;
}

let loaded: readonly Loaded[] | undefined;

/** Makes a device's libraries known to this process; for anything but CUDA there is nothing to do. */
export function openDevice(device: string): readonly Loaded[] {
  if (providerOf(device) !== 'cuda') return [];
  useOrtCopy(ortCopy());
  return (loaded ??= preloadNvidia(libraryFolders(gpuFolder())));
}
