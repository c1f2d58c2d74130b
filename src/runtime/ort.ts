/** @file The onnxruntime module: the installed one, or a copy that lies where it may be written to. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

type Ort = typeof import('onnxruntime-node');

let copy: string | undefined;

/**
 * Takes onnxruntime-node from `folder`, a `node_modules`, from now on. Has no effect on a thread that
 * has loaded it already: its binding is loaded once a thread.
 */
export function useOrtCopy(folder: string | undefined): void {
  copy = folder;
}

/** The module, loaded when it is first asked for: that takes some 30 ms. */
export async function loadOrt(): Promise<Ort> {
  if (copy === undefined) return import('onnxruntime-node');
  return createRequire(join(copy, 'x.js'))('onnxruntime-node') as Ort;
}
