/** @file What the watcher and its worker processes say to each other. */
import type { Rule } from './rule.ts';
import type { Checked, Upscaled } from './kind.ts';

/** How a file is upscaled: what of its rule concerns the file alone. */
export type Manner = Pick<Rule, 'model' | 'upscale' | 'write' | 'captions'>;

/** A file to be read to its end. */
export interface CheckTask {
  /** Absolute. */
  readonly file: string;
  /** A name with the ending that its result will have. */
  readonly result: string;
  readonly manner: Manner;
  /** See `WatchSettings`. */
  readonly program?: string;
}

/** A file to be upscaled to a hidden file in the results' folder. */
export interface UpscaleTask extends CheckTask {
  /** Begin anew, whatever an earlier try has left. */
  readonly fresh: boolean;
  /** Longest edge of the previews that are wanted, in pixels; none without. */
  readonly previews?: number;
}

/** A result, and what the status page shows of it. */
export interface UpscaledFile extends Upscaled {
  /** WebP in base64. */
  readonly previews?: { readonly before: string; readonly after: string };
}

export type WorkerRequest =
  | { readonly kind: 'check'; readonly id: number; readonly task: CheckTask }
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
