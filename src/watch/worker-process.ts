/** @file A worker process seen from outside: started when needed, limited, and replaced when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Checked } from './kind.ts';
import type {
  CheckTask,
  UpscaledFile,
  UpscaleTask,
  WorkerReply,
  WorkerRequest,
} from './messages.ts';
import { isFilm } from './names.ts';

/** Why a request failed, for those who decide what to do about it. */
export type FailureClass =
  /** The file: a decoder or the upscaler refused it. */
  | 'refused'
  /** The process died of it. */
  | 'crash'
  | 'memory'
  /** The device failed while it was upscaled; the process is replaced. */
  | 'device'
  | 'time'
  /** The model or its options, or a process that does not even start: no file's fault. */
  | 'setup'
  /** A disk or share: full, read-only, away. No file's fault. */
  | 'disk'
  /** We stopped it ourselves. */
  | 'stopped';

/** A request to a worker that failed. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly class: FailureClass;
  /** Of the file system, such as ENOSPC. */
  readonly code: string | undefined;

  constructor(kind: FailureClass, message: string, code?: string) {
    super(message);
    this.class = kind;
    this.code = code;
  }
}

export interface WorkerOptions {
  /** The module that runs in it. @default picture-worker */
  readonly file?: string;
  /** Most memory, in bytes: the process is killed beyond. */
  readonly memory: number;
  /** An idle process ends after this long, in ms, and gives its memory back. */
  readonly idle: number;
  /** It has died, or was killed for the reason given. */
  readonly onDeath?: (kind: FailureClass, message: string) => void;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: WorkerError) => void;
  readonly onProgress: (fraction: number) => void;
  readonly request: Request;
}

/** The module of the worker, as built or straight from the sources. */
const defaultFile = fileURLToPath(
  new URL(`./picture-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

/** A process that handles one request at a time. */
export class WorkerProcess {
  readonly #options: WorkerOptions;
  #child: ChildProcess | undefined;
  #ready = false;
  #pending: { readonly id: number; readonly call: Pending } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #next = 1;
  #idle: NodeJS.Timeout | undefined;
  #chatter = '';
  #closed = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Process id while one runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Reads a file to its end. @throws WorkerError */
  check(task: CheckTask, timeLimit: number): Promise<Checked> {
    return this.#queue({ kind: 'check', task }, timeLimit);
  }

  /**
   * Upscales a file.
   *
   * @param timeLimit for a picture in all, for a film without progress; in ms
   * @throws WorkerError
   */
  upscale(
    task: UpscaleTask,
    timeLimit: number,
    onProgress?: (fraction: number) => void,
  ): Promise<UpscaledFile> {
    return this.#queue({ kind: 'upscale', task }, timeLimit, onProgress);
  }

  /** Kills the process for good; what it is at, and what waits for it, fails with class `stopped`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    if (!child) return;
    this.#die('stopped', 'was stopped');
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => {
        child.once('exit', resolve);
      });
    }
  }

  /** Requests wait for those before them. */
  #queue<T>(
    request: Request,
    timeLimit: number,
    onProgress?: (fraction: number) => void,
  ): Promise<T> {
    const answer = this.#last.then(() => this.#ask<T>(request, timeLimit, onProgress));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #ask<T>(
    request: Request,
    timeLimit: number,
    onProgress?: (fraction: number) => void,
  ): Promise<T> {
    clearTimeout(this.#idle);
    if (this.#closed) throw new WorkerError('stopped', 'the watcher is stopping');
    const child = (this.#child ??= this.#start());
    const id = this.#next++;
    const timer = setTimeout(() => {
      this.#die('time', `took longer than ${Math.round(timeLimit / 1000)} s`);
    }, timeLimit);
    const film = isFilm(request.task.file);
    const progress = (fraction: number): void => {
      if (film) timer.refresh();
      onProgress?.(fraction);
    };
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending = { id, call: { resolve, reject, onProgress: progress, request } };
        child.send({ ...request, id } satisfies WorkerRequest, (error) => {
          if (error) this.#die('crash', `cannot be reached (${error.message})`);
        });
      });
    } finally {
      clearTimeout(timer);
      this.#pending = undefined;
      this.#idle = setTimeout(() => void this.#end(), this.#options.idle);
      this.#idle.unref();
    }
  }

  #start(): ChildProcess {
    this.#ready = false;
    this.#chatter = '';
    const child = fork(this.#options.file ?? defaultFile, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced', // JSON has no Infinity, which lifts limits
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#chatter = (this.#chatter + text).slice(-2000); // a crash says last what it died of
    });
    child.on('message', (reply: WorkerReply) => this.#onReply(child, reply));
    child.on('error', (error) => this.#onDeath(child, error.message));
    child.on('exit', (code, signal) => {
      this.#onDeath(child, signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
    return child;
  }

  #onReply(child: ChildProcess, reply: WorkerReply): void {
    if (child !== this.#child) return;
    if (reply.kind === 'ready') {
      this.#ready = true;
    } else if (reply.kind === 'memory') {
      const megabytes = Math.round(this.#options.memory / 2 ** 20);
      if (reply.bytes > this.#options.memory) {
        this.#die('memory', `took more memory than ${megabytes} MiB`);
      }
    } else if (reply.id === this.#pending?.id) {
      const { call } = this.#pending;
      if (reply.kind === 'progress') call.onProgress(reply.fraction);
      else if (reply.kind === 'failed') {
        const failure = failureOf(reply, call.request);
        call.reject(failure);
        if (failure.class === 'device') this.#die('stopped', 'is replaced');
      } else call.resolve(reply.value as never);
    }
  }

  /** Kills the process for a reason of ours. */
  #die(kind: FailureClass, message: string): void {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    this.#lost(kind, message);
  }

  /** The process ended by itself. */
  #onDeath(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    const lines = this.#chatter.trim().split('\n');
    const said = lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
    const message = `ended with ${how}${said && `: ${said.trim()}`}`;
    // One that never came up died of the installation, not of the file it was given.
    this.#lost(this.#ready ? 'crash' : 'setup', message);
  }

  #lost(kind: FailureClass, message: string): void {
    if (kind !== 'stopped') this.#options.onDeath?.(kind, message);
    this.#pending?.call.reject(new WorkerError(kind, `the process that handles it ${message}`));
  }
}

type Request =
  | { readonly kind: 'check'; readonly task: CheckTask }
  | { readonly kind: 'upscale'; readonly task: UpscaleTask };

/** Codes by which disks and shares say that they are in trouble, or that we may not use them. */
const environment = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EPERM',
  'EIO',
  'ENODEV',
  'ENXIO',
  'ENOTCONN',
  'ESTALE',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOENT',
  'ENOTDIR',
]);

/**
 * Whether an error of the file system is no fault of the file that was read.
 *
 * @param about the path that it is about, where it is told
 * @param input the file that was read
 */
export function isEnvironment(
  code: string | undefined,
  about: string | undefined,
  input: string | undefined,
): boolean {
  return code !== undefined && environment.has(code) && (about === undefined || about !== input);
}

function failureOf(
  { failure: { name, message, code, path, setup } }: WorkerReply & { kind: 'failed' },
  { task }: Request,
): WorkerError {
  const kind = (): FailureClass => {
    if (isEnvironment(code, path, task.file)) return 'disk';
    if (setup) return 'setup';
    return name === 'DeviceError' ? 'device' : 'refused';
  };
  return new WorkerError(kind(), message, code);
}
