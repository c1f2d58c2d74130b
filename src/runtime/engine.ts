/** @file Runs models in a worker thread, so that the caller's event loop never stalls. */
import { Worker } from 'node:worker_threads';
import { DeviceError } from '../tensor/errors.ts';
import type { Reply, Request } from './messages.ts';
import type { ModelSource, Session, SessionOptions, Tensors } from './session.ts';

/** A worker thread that holds sessions. */
export interface Engine {
  load(source: ModelSource, options?: SessionOptions): Promise<Session>;
  /** Ends the thread; what still runs is rejected. */
  close(): Promise<void>;
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** Starts a thread. It keeps the process alive only while it has something to do. */
export function startEngine(): Engine {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url));
  const pending = new Map<number, Pending>();
  let next = 1;

  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    return waiting;
  };
  const fail = (error: Error): void => {
    for (const id of pending.keys()) settle(id)?.reject(error);
  };
  worker.unref();
  worker.on('message', (reply: Reply) => {
    if (reply.ok) settle(reply.id)?.resolve(reply.value as never);
    else settle(reply.id)?.reject(new DeviceError(reply.message));
  });
  worker.on('error', (cause) => fail(new DeviceError(`engine: ${cause.message}`, { cause })));
  worker.on('exit', () => fail(new DeviceError('engine: the worker thread has ended.')));

  const ask = <T>(request: DistributiveOmit<Request, 'id'>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = next++;
      pending.set(id, { resolve: resolve, reject });
      worker.ref();
      worker.postMessage({ ...request, id });
    });

  return {
    async load(source, options = {}) {
      const session = await ask<number>({ kind: 'load', source, options });
      return {
        run: (feeds, outputs) =>
          ask<Tensors>({ kind: 'run', session, feeds, ...(outputs ? { outputs } : {}) }),
        release: () => ask<undefined>({ kind: 'release', session }),
      };
    },
    async close() {
      await worker.terminate();
    },
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
