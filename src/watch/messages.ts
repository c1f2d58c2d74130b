/** @file What the watcher and its worker processes say to each other. */
import type { UpscaleOptions, UpscalerOptions } from '../pipeline/types.ts';
import type { Checked, Upscaled } from './kinds.ts';

/** A file to be upscaled to a hidden file in the results' folder. */
export interface UpscaleTask {
  /** Absolute. */
  readonly file: string;
  /** Absolute; its ending says the format. */
  readonly result: string;
  readonly model: UpscalerOptions;
  readonly upscale: Omit<UpscaleOptions, 'onProgress' | 'signal'>;
  /** Longest edge of the previews that are wanted, in pixels; none without. */
  readonly previews?: number;
}

/** A result, and what the status page shows of it. */
export interface UpscaledFile extends Upscaled {
  /** Where it was computed: `cpu`, `cuda:0`, `webgpu`. */
  readonly device: string;
  readonly precision: string;
  /** WebP in base64. */
  readonly previews?: { readonly before: string; readonly after: string };
}

export type WorkerRequest =
  | { readonly kind: 'check'; readonly id: number; readonly file: string }
  | { readonly kind: 'upscale'; readonly id: number; readonly task: UpscaleTask };

/** An error that crosses the border between processes. */
export interface WorkerFailure {
  readonly name: string;
  readonly message: string;
  /** Of the file system, such as ENOSPC. */
  readonly code: string | undefined;
  /** The file or folder that the code is about, where it is told. */
  readonly path: string | undefined;
  /** Whether the model or its options are at fault, and not the file. */
  readonly setup: boolean;
}

export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'memory'; readonly bytes: number }
  | { readonly kind: 'progress'; readonly id: number; readonly fraction: number }
  | { readonly kind: 'checked'; readonly id: number; readonly value: Checked }
  | { readonly kind: 'upscaled'; readonly id: number; readonly value: UpscaledFile }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: WorkerFailure };
