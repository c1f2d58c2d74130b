/** @file What every part of the watcher works with: settings, the log, and whoever wants to know. */
import type { Logger } from 'pino';
import type { FullSettings, Rule } from './rule.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A result that has appeared. */
export interface DoneEvent {
  /** The watched folder. */
  readonly in: string;
  /** The input's path below it, with `/`. */
  readonly file: string;
  /** The result, absolute. */
  readonly output: string;
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
  readonly sha256: string;
  readonly previews?: { readonly before: string; readonly after: string };
}

/** A file that was given up. */
export interface FailedEvent {
  readonly in: string;
  readonly file: string;
  /** Where it lies now, absolute. */
  readonly moved: string;
  readonly reason: string;
  readonly class: string;
}

/** What happens, for metrics, the status page and hooks. */
export interface WatchListener {
  onDone(event: DoneEvent): void;
  onFailed(event: FailedEvent): void;
  /** A try failed; the file may be tried again. */
  onFailure(kind: string): void;
}

export interface Context {
  readonly settings: FullSettings;
  readonly log: Logger;
  /** Decodes files to see whether they are whole, apart from the one that upscales. */
  readonly checker: WorkerProcess;
  readonly listener: WatchListener;
  /** There may be a job to take. */
  readonly wake: () => void;
  /** Aborts when the watcher stops. */
  readonly signal: AbortSignal;
}

/** A rule and what tells its results from another's. */
export interface IdentifiedRule {
  readonly rule: Rule;
  /** SHA-256 of the model's files, and of each LoRA. */
  readonly modelHash: string;
  readonly loraHashes: readonly string[];
}
