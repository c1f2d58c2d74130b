/** @file What is remembered of a picture, on its way from the queue to its result. */
import type { Stamp } from './stamp.ts';

/** A result that is about to appear, or has. */
export interface Published {
  /** The finished file while it is hidden, absolute. */
  readonly part: string;
  /** Its place, absolute. */
  readonly target: string;
  readonly bytes: number;
  /** What the sidecar says. */
  readonly sidecar: Readonly<Record<string, unknown>>;
  /** Whether what has the place may be replaced: the result of an earlier state of the same file. */
  readonly replace: boolean;
}

/**
 * A picture to be upscaled, under way, or done: one JSON file that is renamed from `queue` to `work`
 * to `done`. Whoever renames it has claimed it.
 */
export interface JobRecord {
  /** SHA-256 of content, model and options: the same picture never gives two results. */
  readonly key: string;
  /** Path below the watched folder, with `/`. */
  readonly file: string;
  readonly stamp: Stamp;
  /** Of the content. */
  readonly sha256: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  /** When it was found complete, ISO 8601. */
  readonly added: string;
  /** The key of the result that this one replaces, when the file was overwritten. */
  readonly replaces?: string | undefined;
  /** Tries that failed, and what they failed with. */
  readonly failures: readonly string[];
  /** How often the program ended while this picture was upscaled. */
  readonly interrupted: number;
  /** Not before this time, in milliseconds since 1970. */
  readonly notBefore: number;
  readonly published?: Published;
}

/** What became of a file that stays in the watched folder. */
export interface PathRecord {
  readonly file: string;
  readonly stamp: Stamp;
  readonly key: string;
  /** The settings it was upscaled with, results' folder included. */
  readonly settings: string;
}

/** A file that was given up. */
export interface FailureRecord {
  readonly id: string;
  /** Its path below the watched folder, with `/`. */
  readonly file: string;
  /** Where it lies now, absolute. */
  readonly moved: string;
  readonly stamp: Stamp;
  readonly reason: string;
  /** Failures by class, for metrics and the status page. */
  readonly class: string;
  /** ISO 8601. */
  readonly at: string;
}
