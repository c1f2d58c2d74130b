/** @file Puts the CUDA provider where onnxruntime-node looks for it: beside its binding, nowhere else. */
import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';

/** The provider's two files, for `placeProvider`. */
export interface Placement {
  /** Absolute paths of the provider and of what it shares with the others. */
  readonly files: readonly string[];
  /** The folder of the installed onnxruntime-node's binding. */
  readonly binding: string;
  /** A `node_modules` for a copy of the package, where that folder cannot be written to. */
  readonly copyTo: string;
}

/**
 * Links the files beside the binding. Where that is not allowed, onnxruntime-node is copied to `copyTo`
 * (70 MB) and they are linked there; links to the binding itself would not do, since the place that
 * counts is its real one.
 *
 * @returns the folder where the files now are
 */
export async function placeProvider({ files, binding, copyTo }: Placement): Promise<string> {
  try {
    await linkInto(binding, files);
    return binding;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
  }
  const folder = await copyPackage(binding, copyTo);
  await linkInto(folder, files);
  return folder;
}

/** Copies onnxruntime-node, as far as it is needed here. @returns the folder of the copy's binding */
export async function copyPackage(binding: string, copyTo: string): Promise<string> {
  const root = packageOf(binding);
  const copy = join(copyTo, 'onnxruntime-node');
  const temporary = `${copy}.${process.pid}.tmp`;
  await rm(copy, { recursive: true, force: true });
  const own = binding.slice(root.length + 1);
  for (const part of ['package.json', 'dist', own]) {
    await cp(join(root, part), join(temporary, part), { recursive: true, dereference: true });
  }
  const common = join(dirname(root), 'onnxruntime-common');
  await cp(common, join(copyTo, 'onnxruntime-common'), { recursive: true, dereference: true });
  await rename(temporary, copy);
  return join(copy, own);
}

/** The package's root above its binding's folder. */
function packageOf(binding: string): string {
  const end = binding.lastIndexOf(`${sep}bin${sep}napi-v`);
  return end < 0 ? binding : binding.slice(0, end);
}

async function linkInto(folder: string, files: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    const target = join(folder, basename(file));
    const temporary = `${target}.${process.pid}.tmp`;
    await symlink(file, temporary);
    await rename(temporary, target);
  }
}
