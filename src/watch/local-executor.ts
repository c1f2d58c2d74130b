/** @file Upscales in a worker process on this machine. */
import type { Executor } from './executor.ts';
import { WorkerProcess, type WorkerOptions } from './worker-process.ts';

/** @param timeLimit most time for one file, in ms */
export function localExecutor(options: WorkerOptions, timeLimit: number): Executor {
  const worker = new WorkerProcess(options);
  return {
    slots: 1,
    upscale: (task, onProgress) => worker.upscale(task, timeLimit, onProgress),
    end: () => worker.close(),
  };
}
