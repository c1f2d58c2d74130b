/** @file Upscaling for callers: everything that takes time happens in a worker thread. */
import type { Sharp } from 'sharp';
import { readPipeline } from '../image/codec.ts';
import { makePicture, type Picture } from '../image/picture.ts';
import * as errors from '../tensor/errors.ts';
import { startThread } from '../tensor/thread.ts';
import type { Reply, Request } from './messages.ts';
import type { Size } from './size.ts';
import type { ModelSummary, UpscaleOptions, Upscaler, UpscalerOptions } from './types.ts';

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress?: UpscaleOptions['onProgress'];
}

/**
 * Loads a model, once, for any number of pictures.
 *
 *     const up = await loadUpscaler({ model: 'compact' });
 *     const large = await up.upscale({ data, width, height, channels: 3 }, { scale: 4 });
 *     await up.dispose();
 *
 * @throws OsediffError when the model, a LoRA or the device cannot be used
 */
export async function loadUpscaler(options: UpscalerOptions = {}): Promise<Upscaler> {
  const thread = startUpscaling();
  let model: ModelSummary;
  try {
    model = await thread.ask<ModelSummary>({ kind: 'open', options });
  } catch (error) {
    await thread.end();
    throw error;
  }
  return {
    model,
    async upscale(input, { onProgress, signal, ...plain } = {}) {
      signal?.throwIfAborted();
      const picture = isPipeline(input) ? await readPipeline(input) : checked(input);
      const request = { kind: 'upscale', picture, options: plain } as const;
      return thread.work<Picture>(request, onProgress, signal);
    },
    upscaleRaw(task, { onProgress, signal, ...plain } = {}) {
      const request = { kind: 'upscale-raw', task, options: plain } as const;
      return thread.work<Size>(request, onProgress, signal);
    },
    dispose: () => thread.end(),
  };
}

function isPipeline(input: Picture | Sharp): input is Sharp {
  return 'toBuffer' in input;
}

function checked({ width, height, channels, data }: Picture): Picture {
  return makePicture(width, height, channels, data);
}

/** What a thread is asked to do for a picture, before it has a number. */
type Work = Numberless<Extract<Request, { kind: 'upscale' | 'upscale-raw' }>>;
type Numberless<R> = R extends Request ? Omit<R, 'id'> : never;

interface Thread {
  ask<T>(request: { kind: 'open'; options: UpscalerOptions }): Promise<T>;
  work<T>(
    work: Work,
    onProgress: UpscaleOptions['onProgress'],
    signal: AbortSignal | undefined,
  ): Promise<T>;
  end(): Promise<void>;
}

/** Starts a thread, which keeps the process alive only while it works. */
function startUpscaling(): Thread {
  const worker = startThread('./worker', import.meta.url);
  const pending = new Map<number, Pending>();
  let next = 1;

  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    return waiting;
  };
  let ended: Error | undefined;
  const failAll = (error: Error): void => {
    ended ??= error;
    for (const id of pending.keys()) settle(id)?.reject(error);
  };
  const send = <T>(request: Request, onProgress?: UpscaleOptions['onProgress']): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended) {
        reject(ended);
        return;
      }
      pending.set(request.id, { resolve, reject, ...(onProgress ? { onProgress } : {}) });
      worker.ref();
      worker.postMessage(request);
    });

  worker.unref();
  worker.on('message', (reply: Reply) => {
    if (reply.kind === 'progress') pending.get(reply.id)?.onProgress?.(reply.progress);
    else if (reply.kind === 'failed') settle(reply.id)?.reject(revive(reply));
    else settle(reply.id)?.resolve(answerOf(reply) as never);
  });
  worker.on('error', (cause) =>
    failAll(new errors.DeviceError(`upscaler: ${cause.message}`, { cause })),
  );
  worker.on('exit', () => failAll(new errors.DeviceError('upscaler: its thread has ended.')));

  return {
    ask: (request) => send({ ...request, id: next++ }),
    async work<T>(
      work: Work,
      onProgress: UpscaleOptions['onProgress'],
      signal: AbortSignal | undefined,
    ) {
      signal?.throwIfAborted();
      const id = next++;
      const abort = (): void => worker.postMessage({ kind: 'abort', id } satisfies Request);
      signal?.addEventListener('abort', abort, { once: true });
      try {
        return await send<T>({ ...work, id }, onProgress);
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', abort);
      }
    },
    async end() {
      await worker.terminate();
    },
  };
}

/** What a reply brings. */
function answerOf(
  reply: Exclude<Reply, { kind: 'progress' | 'failed' }>,
): ModelSummary | Picture | Size {
  if (reply.kind === 'opened') return reply.model;
  return reply.kind === 'upscaled' ? reply.picture : reply.size;
}

/** The worker's error, as the class that was thrown there. */
function revive({ name, message, stack }: Reply & { kind: 'failed' }): Error {
  const known = errors as unknown as Record<string, new (message: string) => Error>;
  const error = Object.hasOwn(known, name) ? new known[name]!(message) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
