/**
 * @file A process that behaves like the ffmpeg or ffprobe program, by the WebAssembly build
 * `@ffmpeg/core` (GPL-2.0-or-later): `node wasm-child.js ffmpeg|ffprobe ARGS`.
 *
 * `in:PATH` and `out:PATH` are files of the host, `pipe:0` and `pipe:1` the process's own streams.
 * None of their bytes are kept in WebAssembly memory.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface Stream {
  position: number;
  seekable: boolean;
}
interface FsNode {
  node_ops: {
    getattr(node: FsNode): Record<string, unknown>;
    setattr(node: FsNode, attributes: { readonly size?: number }): void;
  };
  stream_ops: object;
}
/** The part of Emscripten's file system that is used. */
interface EmscriptenFs {
  readonly ErrnoError: new (errno: number) => Error;
  makedev(major: number, minor: number): number;
  registerDevice(device: number, operations: object): void;
  mkdev(name: string, mode: number, device: number): void;
  writeFile(name: string, text: string): void;
  lookupPath(name: string): { readonly node: FsNode };
}
interface Core {
  readonly FS: EmscriptenFs;
  setLogger(logger: (line: { readonly type: string; readonly message: string }) => void): void;
  exec(...args: string[]): number;
  ffprobe(...args: string[]): number;
}

/** Error numbers of WASI, which Emscripten uses. */
const errnos: Readonly<Record<string, number>> = {
  EACCES: 2,
  EEXIST: 20,
  EINVAL: 28,
  EIO: 29,
  ENOENT: 44,
  ENOSPC: 51,
  EPIPE: 64,
};

const core = await load();
const { FS } = core;

async function load(): Promise<Core> {
  const require = createRequire(import.meta.url);
  const file = require.resolve('@ffmpeg/core');
  // The build is made for workers of browsers: it asks where it lies.
  Object.assign(globalThis, { self: globalThis, location: { href: pathToFileURL(file).href } });
  const create = require(file) as (options: { wasmBinary: Uint8Array }) => Promise<Core>;
  return create({ wasmBinary: fs.readFileSync(file.replace(/\.js$/, '.wasm')) });
}

/** Runs an operation of the host; its errors become the file system's. */
function hosted<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new FS.ErrnoError(errnos[code] ?? errnos['EIO']!);
  }
}

/** Repeats an operation on a pipe that is not ready yet. */
function patiently(operation: () => number): number {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function writeAll(
  fd: number,
  bytes: Uint8Array,
  from: number,
  length: number,
  at: number | null,
): number {
  for (let done = 0; done < length;) {
    done += patiently(() =>
      fs.writeSync(fd, bytes, from + done, length - done, at === null ? null : at + done),
    );
  }
  return length;
}

/** A pipe: a device whose bytes are those of an open file descriptor. */
function addPipe(fd: 0 | 1): string {
  const name = `/dev/pipe${fd}`;
  const device = FS.makedev(64, 10 + fd);
  FS.registerDevice(device, {
    open(stream: Stream) {
      stream.seekable = false;
    },
    read: (_: Stream, bytes: Uint8Array, from: number, length: number) =>
      hosted(() => patiently(() => fs.readSync(fd, bytes, from, length, null))),
    write: (_: Stream, bytes: Uint8Array, from: number, length: number) =>
      hosted(() => writeAll(fd, bytes, from, length, null)),
  });
  FS.mkdev(name, 0o666, device);
  return name;
}

let files = 0;

/** A file whose bytes stay on the host. */
function addFile(host: string, mode: 'in' | 'out'): string {
  const fd = fs.openSync(host, mode === 'in' ? 'r' : 'w+');
  const name = `/file${files++}${path.extname(host).toLowerCase()}`;
  FS.writeFile(name, '');
  const { node } = FS.lookupPath(name);
  const { node_ops: usual, stream_ops: usualStream } = node;
  node.node_ops = {
    ...usual,
    getattr: (of) => ({ ...usual.getattr(of), size: fs.fstatSync(fd).size }),
    setattr: (_, { size }) => {
      if (size !== undefined && mode === 'out') hosted(() => fs.ftruncateSync(fd, size));
    },
  };
  node.stream_ops = {
    ...usualStream,
    read: (_: Stream, bytes: Uint8Array, from: number, length: number, at: number) =>
      hosted(() => fs.readSync(fd, bytes, from, length, at)),
    write: (_: Stream, bytes: Uint8Array, from: number, length: number, at: number) =>
      hosted(() => writeAll(fd, bytes, from, length, at)),
    llseek: (stream: Stream, offset: number, whence: number) => {
      const base = whence === 1 ? stream.position : whence === 2 ? fs.fstatSync(fd).size : 0;
      if (base + offset < 0) throw new FS.ErrnoError(errnos['EINVAL']!);
      return base + offset;
    },
  };
  return name;
}

function word(text: string): string {
  if (text === 'pipe:0' || text === 'pipe:1') return addPipe(text === 'pipe:0' ? 0 : 1);
  const file = /^(in|out):(.*)$/s.exec(text);
  return file ? addFile(file[2]!, file[1] as 'in' | 'out') : text;
}

const [tool, ...words] = process.argv.slice(2);
const names = new Set<string>();
let refused = false;
core.setLogger(({ type, message }) => {
  // ffprobe's own exit code does not come through; it names the file when it fails.
  refused ||= type !== 'stdout' && [...names].some((name) => message.startsWith(`${name}:`));
  const bytes = Buffer.from(`${message}\n`);
  writeAll(type === 'stdout' ? 1 : 2, bytes, 0, bytes.length, null);
});
try {
  const args = words.map(word);
  for (const arg of args) if (arg.startsWith('/file')) names.add(arg);
  if (tool === 'ffprobe') {
    core.ffprobe(...args);
    process.exitCode = refused ? 1 : 0;
  } else process.exitCode = core.exec(...args);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
process.exit();
