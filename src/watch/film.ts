/** @file Films: handed to the program's own `video` command, in a process below the worker's. */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FormatError } from '../tensor/errors.ts';
import { Refused, type Checked, type Kind, type Upscaled } from './kind.ts';
import type { CheckTask, Manner, UpscaleTask } from './messages.ts';

/** Factors by which films are enlarged. */
const scales = [2, 4];

/**
 * Films, as a kind of files.
 *
 * A look at all frames would take as long as some models do: a film counts as whole when it has
 * rested, and one that is not is refused by the command, or has changed when it is through.
 */
export const film: Kind = {
  async check(task): Promise<Checked> {
    requireProgram(task);
    const { scale } = task.manner.upscale;
    if (scale === undefined || !scales.includes(scale)) {
      throw new FormatError(
        `${task.file}: expected a picture, got a film, which is enlarged by 2 or 4 only. Give --scale 2 or 4.`,
      );
    }
    return hashFile(task.file);
  },
  upscale: async (task, { onProgress }) => runVideo(requireProgram(task), task, onProgress),
};

function requireProgram({ file, program }: CheckTask): string {
  if (program !== undefined) return program;
  throw new FormatError(
    `${file}: expected a picture, got a film, which only the program "osediff watch" takes.`,
  );
}

async function hashFile(file: string): Promise<Checked> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  if (bytes === 0) throw new FormatError(`${file}: expected a film, got an empty file.`);
  return { width: 0, height: 0, bytes, sha256: hash.digest('hex') };
}

/** What the command prints, one object a line. */
interface VideoEvent {
  readonly event: string;
  readonly done?: number;
  readonly frames?: number;
  readonly width?: number;
  readonly height?: number;
  readonly error?: string;
}

/** The process that works on a film now. */
let running: ChildProcess | undefined;

/**
 * Run before the program in its process, which ends at once when the worker does, even by kill -9.
 * Its threads run it too, but they have no channel.
 */
const dieWithParent =
  "if (process.channel) process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')).channel.unref();";

async function runVideo(
  program: string,
  task: UpscaleTask,
  onProgress: (fraction: number) => void,
): Promise<Upscaled> {
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(dieWithParent)}`];
  const child = fork(program, videoArguments(task), {
    execArgv: [...process.execArgv, ...preload],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  running = child;
  let result: Upscaled | undefined;
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      const { event, done = 0, frames, width = 0, height = 0 } = JSON.parse(line) as VideoEvent;
      if (event === 'progress') onProgress(frames === undefined ? 0 : Math.min(1, done / frames));
      if (event === 'end') result = { width, height };
    }
    const how = await ended;
    if (result && how === 'exit code 0') return result;
    throw videoError(said, how);
  } finally {
    running = undefined;
    child.kill('SIGKILL');
  }
}

function videoArguments({ file, result, manner, fresh }: UpscaleTask): string[] {
  const { model = 'compact', device, precision, loras = [] } = manner.model;
  const { scale, prompt, color } = manner.upscale;
  const args = ['video', '--json', '--overwrite', '-o', result, '--scale', String(scale)];
  args.push('--model', model);
  if (!fresh) args.push('--resume');
  if (device !== undefined) args.push('--device', device);
  if (precision !== undefined) args.push('--precision', precision);
  for (const lora of loras) args.push('--lora', loraArgument(lora));
  if (prompt !== undefined) args.push(`--prompt=${prompt}`);
  // What pictures have by default is not what films have.
  if (color !== undefined && color !== 'adain') args.push('--color', color);
  return [...args, '--', file];
}

function loraArgument(lora: NonNullable<Manner['model']['loras']>[number]): string {
  return typeof lora === 'string' ? lora : `${lora.path}:${lora.strength ?? 1}`;
}

/** The command's last words as an error: the film's fault, unless they name a full disk or the like. */
function videoError(said: string, how: string): Error {
  const line = said.trim().split('\n').at(-1) ?? '';
  const text = line.replace(/^osediff: /, '') || `the video command ended with ${how}`;
  const code = /\b(ENOSPC|EDQUOT|EROFS)\b/.exec(text)?.[1];
  const error = new FormatError(text);
  return code === undefined ? new Refused(text, { cause: error }) : Object.assign(error, { code });
}

/** Bytes that the process takes which works on a film now; 0 where that cannot be told. */
export function filmMemory(): number {
  if (running?.pid === undefined) return 0;
  try {
    const [, pages = '0'] = readFileSync(`/proc/${running.pid}/statm`, 'latin1').split(' ');
    return Number(pages) * 4096;
  } catch {
    return 0;
  }
}
