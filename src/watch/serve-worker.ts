/** @file The inside of a worker process: checks and upscales files as it is told, and reports its memory. */
import { writeFileSync } from 'node:fs';
import type { Upscaler, UpscalerOptions } from '../pipeline/types.ts';
import { filmMemory } from './film.ts';
import { Refused } from './kind.ts';
import { kindOf } from './kinds.ts';
import type {
  UpscaledFile,
  UpscaleTask,
  WorkerFailure,
  WorkerReply,
  WorkerRequest,
} from './messages.ts';

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
    if (busy > 0) send({ kind: 'memory', bytes: process.memoryUsage.rss() + filmMemory() });
  }, reportEvery).unref();
  process.on('message', (request: WorkerRequest) => {
    busy++;
    answer(request, model, send)
      .catch((error: unknown) =>
        send({ kind: 'failed', id: request.id, failure: failureOf(error) }),
      )
      .finally(() => busy--);
  });
  send({ kind: 'ready' });
}

async function answer(
  request: WorkerRequest,
  model: OneModel,
  send: (reply: WorkerReply) => void,
): Promise<void> {
  const { id, task } = request;
  const kind = kindOf(task.file);
  if (request.kind === 'check') {
    const value = await kind.check(task).catch((cause: unknown) => {
      throw new Refused('the file was refused', { cause });
    });
    send({ kind: 'checked', id, value });
    return;
  }
  const upscaled = await kind.upscale(request.task, {
    load: () => model.get(task.manner.model),
    onProgress: (fraction) => send({ kind: 'progress', id, fraction }),
  });
  send({ kind: 'upscaled', id, value: { ...upscaled, ...(await previewsOf(request.task)) } });
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
  get(options: UpscalerOptions): Promise<Upscaler>;
}

/** Keeps the last model loaded; another takes its place. */
function oneModel(load: Load): OneModel {
  let key = '';
  let loading: Promise<Upscaler> | undefined;
  return {
    async get(options) {
      const wanted = JSON.stringify(options);
      if (wanted !== key || !loading) {
        await loading?.then((upscaler) => upscaler.dispose()).catch(() => undefined);
        key = wanted;
        loading = load(options);
        loading.catch(() => (loading = undefined));
      }
      const upscaler = await loading;
      return { ...upscaler, dispose: async () => undefined }; // a batch disposes of its own
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

/** An error as it is told to the watcher: what was refused, for what it was refused for. */
function failureOf(thrown: unknown): WorkerFailure {
  const refused = thrown instanceof Refused;
  const reason = refused ? thrown.cause : thrown;
  const error = reason instanceof Error ? reason : new Error(String(reason));
  const { name, message } = error;
  return { name, message, ...systemError(error), setup: !refused };
}

/** The file system's code, and what it is about, in an error or its causes. */
function systemError(error: unknown): { code: string | undefined; path: string | undefined } {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { code, path } = e as NodeJS.ErrnoException;
    if (typeof code === 'string') return { code, path };
  }
  return { code: undefined, path: undefined };
}
