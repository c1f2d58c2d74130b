/** @file The process in which files are decoded and upscaled, so that a crash costs one file. */
import { serveWorker } from './serve-worker.ts';

serveWorker(async (options) => {
  const { loadUpscaler } = await import('../pipeline/upscaler.ts');
  return loadUpscaler(options);
});
