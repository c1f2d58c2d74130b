/** @file Where the watcher's stand-in worker is, and which pictures make it misbehave. */
import { fileURLToPath } from 'node:url';

/** Widths of pictures that make the stand-in misbehave. */
export const widths = {
  crashes: 21,
  refused: 22,
  hoards: 23,
  hangs: 24,
  refusedUntilFlag: 25,
  failsDevice: 26,
} as const;

/** The module of the process in which the stand-in works. */
export const standInWorker: string = fileURLToPath(
  new URL('stand-in-worker-child.ts', import.meta.url),
);
