/** @file Who upscales: a worker process here, or whatever else takes the same task. */
import type { UpscaledFile, UpscaleTask } from './messages.ts';

/** Takes tasks. Failures are `WorkerError`s, whose class says whose fault it was. */
export interface Executor {
  /** How many tasks it takes at a time. */
  readonly slots: number;
  upscale(task: UpscaleTask, onProgress: (fraction: number) => void): Promise<UpscaledFile>;
  /** Ends at once; what is under way fails with class `stopped`. */
  end(): Promise<void>;
}
