/** @file One way to run ffmpeg: the native program, or its WebAssembly build in a process that behaves like it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DeviceError, FormatError, PathError } from 'osediff';

/** A file among ffmpeg's arguments: its name is never taken for an option, a pattern or an address. */
export interface FileArgument {
  readonly file: string;
  readonly mode: 'in' | 'out';
}

export type Argument = string | FileArgument;

/** A file that ffmpeg reads. */
export function reads(file: string): FileArgument {
  return { file, mode: 'in' };
}

/** A file that ffmpeg writes. */
export function writes(file: string): FileArgument {
  return { file, mode: 'out' };
}

/** Which of its streams the caller holds. */
export interface StartOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** An ffmpeg process. */
export interface Running {
  /** Only where asked for. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  /** Resolves when it succeeded; rejects with a FormatError that quotes its last words. */
  readonly ended: Promise<void>;
  /** What it said on stderr so far, its last words. */
  words(): string;
  kill(): void;
}

/** An ffmpeg to run. */
export interface Ffmpeg {
  readonly kind: 'native' | 'wasm';
  /** As it says itself, e.g. `5.1.9-0+deb12u1`. */
  readonly version: string;
  start(tool: 'ffmpeg' | 'ffprobe', args: readonly Argument[], options?: StartOptions): Running;
}

/** Which ffmpeg to take: `auto` prefers the native one; anything else is the native program's path. */
export type FfmpegChoice = 'auto' | 'wasm' | (string & {});

/** `process.exit` of the parent must not leave decoders behind. */
const running = new Set<() => void>();
process.once('exit', () => {
  for (const kill of running) kill();
});

/**
 * Find an ffmpeg: the one on PATH, else the WebAssembly build from npm (`@ffmpeg/core`, GPL, always a
 * process of its own).
 *
 * @throws DeviceError when the chosen one does not run
 */
export async function findFfmpeg(choice: FfmpegChoice = 'auto'): Promise<Ffmpeg> {
  if (choice !== 'wasm') {
    const program = choice === 'auto' ? 'ffmpeg' : choice;
    const version = await nativeVersion(program);
    if (version !== undefined) return native(program, version);
    if (choice !== 'auto') {
      throw new DeviceError(
        `ffmpeg: expected a program that runs at "${choice}", got none. Give its path, or "wasm".`,
      );
    }
  }
  return wasm();
}

function nativeVersion(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ['-hide_banner', '-version'], { windowsHide: true }, (error, stdout) => {
      resolve(error ? undefined : (/^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? 'unknown'));
    });
  });
}

function native(program: string, version: string): Ffmpeg {
  const folder = path.dirname(program);
  const probe = folder === '.' && !program.startsWith('.') ? 'ffprobe' : siblingProbe(program);
  return {
    kind: 'native',
    version,
    start: (tool, args, options) => {
      const command = tool === 'ffmpeg' ? program : probe;
      const words = args.map((a) => (typeof a === 'string' ? a : `file:${path.resolve(a.file)}`));
      return start(tool, command, words, options);
    },
  };
}

function siblingProbe(program: string): string {
  return path.join(
    path.dirname(program),
    path.basename(program).replace(/ffmpeg(?!.*ffmpeg)/, 'ffprobe'),
  );
}

function wasm(): Ffmpeg {
  const require = createRequire(import.meta.url);
  try {
    require.resolve('@ffmpeg/core');
  } catch (cause) {
    throw new DeviceError(
      'ffmpeg: expected ffmpeg on PATH or the package @ffmpeg/core, got neither. Install ffmpeg.',
      { cause },
    );
  }
  // From sources, as tests run, the child needs the same loader as this process.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fileURLToPath(new URL(`./wasm-child.${ending}`, import.meta.url));
  const flags = ending === 'ts' ? ['--import', import.meta.resolve('tsx')] : [];
  return {
    kind: 'wasm',
    version: '5.1.4',
    start: (tool, args, options) => {
      const words = args.map((a) =>
        typeof a === 'string' ? a : `${a.mode}:${path.resolve(a.file)}`,
      );
      return start(tool, process.execPath, [...flags, child, tool, ...words], options);
    },
  };
}

function start(
  tool: string,
  command: string,
  args: readonly string[],
  { stdin = false, stdout = false, signal }: StartOptions = {},
): Running {
  const child = spawn(command, args, {
    stdio: [stdin ? 'pipe' : 'ignore', stdout ? 'pipe' : 'ignore', 'pipe'],
    windowsHide: true,
    // A terminal sends Ctrl-C to the whole group; we tell children ourselves, after our own order.
    detached: process.platform !== 'win32',
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  running.add(kill);
  signal?.addEventListener('abort', kill, { once: true });
  // A child that ends early is told by its exit, not by our failing write to it.
  child.stdin?.on('error', () => undefined);
  let words = '';
  child
    .stderr!.setEncoding('utf8')
    .on('data', (text: string) => (words = (words + text).slice(-4000)));
  const ended = (async (): Promise<void> => {
    try {
      const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
      signal?.throwIfAborted();
      if (code !== 0) {
        const got = lastWords(words) || (killedBy ?? `exit ${code}`);
        throw failure(tool, got);
      }
    } finally {
      running.delete(kill);
      signal?.removeEventListener('abort', kill);
    }
  })();
  ended.catch(() => undefined); // thrown where it is awaited
  return {
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? undefined,
    ended,
    words: () => lastWords(words),
    kill,
  };
}

/** What ffmpeg said last, without the addresses of its objects. */
function lastWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^\[[^\]]*@ 0x[0-9a-f]+\] ?/, '').trim())
    .filter(
      (line) => line !== '' && !/^(Aborted\(\)|Conversion failed!|Svt\[info\].*)$/.test(line),
    );
  return lines.slice(-3).join('; ');
}

function failure(tool: string, got: string): Error {
  if (/No space left on device/i.test(got)) {
    return new PathError(
      `${tool}: expected room on the disk, got a full one. Free some space, then give --resume.`,
    );
  }
  return new FormatError(`${tool}: expected success, got: ${got.replace(/\.$/, '')}.`);
}

/** Everything a short run prints on stdout. */
export async function collect(
  ffmpeg: Ffmpeg,
  tool: 'ffmpeg' | 'ffprobe',
  args: readonly Argument[],
  signal?: AbortSignal,
): Promise<string> {
  const child = ffmpeg.start(tool, args, { stdout: true, signal });
  const parts: Buffer[] = [];
  for await (const part of child.stdout!) parts.push(part as Buffer);
  await child.ended;
  return Buffer.concat(parts).toString('utf8');
}

/** Write all of `bytes`, waiting while the reader is behind; an early end shows in `child.ended`. */
export async function feed(child: Running, bytes: Uint8Array): Promise<void> {
  const stdin = child.stdin!;
  if (stdin.destroyed) await ending(child);
  if (!stdin.write(bytes)) await Promise.race([once(stdin, 'drain'), ending(child)]);
}

/** Close the child's input and wait for its success. */
export async function finish(child: Running): Promise<void> {
  child.stdin!.end();
  await child.ended;
}

async function ending(child: Running): Promise<never> {
  await child.ended;
  throw new FormatError('ffmpeg: expected it to read all frames, got an early end.');
}

/** Whether the version is at least `major.minor`; builds from git, which have no number, are new. */
export function isAtLeast({ version }: Ffmpeg, major: number, minor: number): boolean {
  const numbers = /^n?(\d+)\.(\d+)/.exec(version);
  if (!numbers) return true;
  const [a, b] = [Number(numbers[1]), Number(numbers[2])];
  return a > major || (a === major && b >= minor);
}
