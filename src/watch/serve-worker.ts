/** @file The inside of a worker process: checks and upscales files as it is told, and reports its memory. */
import { writeFileSync } from 'node:fs';
import type { Upscaler, UpscalerOptions } from '../pipeline/types.ts';
import { kindOf, type Manner } from './kinds.ts';
import type { UpscaledFile, UpscaleTask, WorkerReply, WorkerRequest } from './messages.ts';

/** Loads a model. */
type Load = (options: UpscalerOptions) => Promise<Upscaler>;

/** How often memory is reported while there is work, in ms. */
const reportEvery = 250;

/**
 * Serves the watcher that forked this process, until it ends.
 *
 * One model is loaded at a time, and stays for the next file that wants it.
 */
export function serveWorker(load: Load): void {
  const model = oneModel(load);
  let busy = 0;
  const send = (reply: WorkerReply): void => {
    process.send?.(reply);
  };
  dieWithParent();
  setInterval(() => {
    if (busy > 0) send({ kind: 'memory', bytes: process.memoryUsage.rss() });
  }, reportEvery).unref();
  process.on('message', (request: WorkerRequest) => {
    busy++;
    answer(request, model, send)
      .catch((error: unknown) => {
        const setup = model.isAtFault(error);
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        const failure = { name, message, ...systemError(error), setup };
        send({ kind: 'failed', id: request.id, failure });
      })
      .finally(() => busy--);
  });
  send({ kind: 'ready' });
}

async function answer(
  request: WorkerRequest,
  model: OneModel,
  send: (reply: WorkerReply) => void,
): Promise<void> {
  const { id } = request;
  if (request.kind === 'check') {
    send({ kind: 'checked', id, value: await kindOf(request.file).check(request.file) });
    return;
  }
  const { task } = request;
  const { width, height } = await kindOf(task.file).upscale(task.file, task.result, {
    load: () => model.get(task.model),
    upscale: task.upscale,
    listener: {
      onProgress: (_, { phase, done, total }) => {
        if (phase === 'tiles') send({ kind: 'progress', id, fraction: done / Math.max(1, total) });
      },
    },
  });
  const previews = await previewsOf(task);
  const { device, precision } = (await model.get(task.model)).model;
  const value: UpscaledFile = { width, height, device, precision, ...previews };
  send({ kind: 'upscaled', id, value });
}

/** Previews are a pleasure only: a result without them is a result. */
async function previewsOf(task: UpscaleTask): Promise<Pick<UpscaledFile, 'previews'>> {
  const { file, result, previews: edge } = task;
  if (edge === undefined) return {};
  try {
    const { previewPicture } = await import('../pipeline/preview.ts');
    const [before, after] = await Promise.all([
      previewPicture(file, edge),
      previewPicture(result, edge),
    ]);
    return {
      previews: { before: before.toString('base64'), after: after.toString('base64') },
    };
  } catch {
    return {};
  }
}

interface OneModel {
  get: (options: UpscalerOptions) => ReturnType<Manner['load']>;
  /** Whether an error says that the model or its options cannot be used, whatever the file. */
  isAtFault(error: unknown): boolean;
}

/** Keeps the last model loaded; another takes its place. */
function oneModel(load: Load): OneModel {
  let key = '';
  let loading: Promise<Upscaler> | undefined;
  const faults = new WeakSet<object>();
  return {
    async get(options) {
      const wanted = JSON.stringify(options);
      if (wanted !== key || !loading) {
        await loading?.then((upscaler) => upscaler.dispose()).catch(() => undefined);
        key = wanted;
        loading = load(options);
        loading.catch((error: unknown) => {
          loading = undefined;
          if (error instanceof Error) faults.add(error);
        });
      }
      const upscaler = await loading;
      return { ...upscaler, dispose: async () => undefined }; // a batch disposes of its own
    },
    isAtFault(error) {
      if (!(error instanceof Error)) return false;
      return faults.has(error) || error.name === 'UsageError' || error.name === 'ConfigError';
    },
  };
}

/** Ends at once when the watcher does, even by kill -9; only the watcher's word stops the work. */
function dieWithParent(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => undefined); // sent to the whole group; the watcher decides
  }
  try {
    // Where memory runs out, the kernel is to take this process and not the watcher.
    writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {
    // not Linux, or not allowed
  }
}

/** The file system's code, and what it is about, in an error or its causes. */
function systemError(error: unknown): { code: string | undefined; path: string | undefined } {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { code, path } = e as NodeJS.ErrnoException;
    if (typeof code === 'string') return { code, path };
  }
  return { code: undefined, path: undefined };
}
