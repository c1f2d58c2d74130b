/** @file The thread behind `openSamples`: makes the samples whose numbers it is sent. */
import { parentPort, workerData } from 'node:worker_threads';
import { cachedReader } from './picture-cache.ts';
import type { WorkerReply, WorkerSetup } from './pool.ts';
import { makeSample } from './sample.ts';

const { spec, cacheBytes } = workerData as WorkerSetup;
const read = cachedReader(cacheBytes);
const port = parentPort!;

/** One after the other: two at a time would only take turns, and hold twice the memory. */
let last: Promise<void> = Promise.resolve();
port.on('message', (index: number) => {
  last = last.then(() => answer(index));
});

async function answer(index: number): Promise<void> {
  try {
    const sample = await makeSample(spec, index, read);
    const buffers = [sample.truth, sample.input, sample.low].map(({ data }) => data.buffer);
    port.postMessage({ index, sample } satisfies WorkerReply, buffers as ArrayBuffer[]);
  } catch (error) {
    const { name, message, stack } = error as Error;
    const told = { name, message, ...(stack !== undefined && { stack }) };
    port.postMessage({ index, error: told } satisfies WorkerReply);
  }
}
