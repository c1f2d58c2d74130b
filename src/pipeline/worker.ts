/** @file The thread in which pictures are upscaled: networks block it, so the caller's stays free. */
import { parentPort } from 'node:worker_threads';
import { type LocalUpscaler, openUpscaler } from './local.ts';
import type { Reply, Request } from './messages.ts';
import type { UpscaleOptions } from './types.ts';

const port = parentPort!;
const aborts = new Map<number, AbortController>();
let upscaler: LocalUpscaler | undefined;
let last: Promise<void> = Promise.resolve();

async function answer(request: Exclude<Request, { kind: 'abort' }>): Promise<void> {
  const { id } = request;
  if (request.kind === 'open') {
    upscaler = await openUpscaler(request.options);
    port.postMessage({ kind: 'opened', id, model: upscaler.model } satisfies Reply);
    return;
  }
  const { signal } = aborts.get(id)!;
  signal.throwIfAborted();
  const options: UpscaleOptions = {
    ...request.options,
    signal,
    onProgress: (progress) => port.postMessage({ kind: 'progress', id, progress } satisfies Reply),
  };
  if (request.kind === 'upscale-raw') {
    const size = await upscaler!.upscaleRaw(request.task, options);
    port.postMessage({ kind: 'upscaled-raw', id, size } satisfies Reply);
    return;
  }
  const picture = await upscaler!.upscale(request.picture, options);
  const transfer = [picture.data.buffer as ArrayBuffer];
  port.postMessage({ kind: 'upscaled', id, picture } satisfies Reply, transfer);
}

port.on('message', (request: Request) => {
  const { id } = request;
  if (request.kind === 'abort') {
    aborts.get(id)?.abort();
    return;
  }
  aborts.set(id, new AbortController());
  // One picture at a time: they share the cores and the memory.
  last = last
    .then(() => answer(request))
    .catch((error: unknown) => {
      const { name, message, stack } = error as Error;
      port.postMessage({ kind: 'failed', id, name, message, stack } satisfies Reply);
    })
    .finally(() => aborts.delete(id));
});
