/** @file Runs the program in a process of its own and collects what it says. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The program with a stand-in for its model. */
const child = fileURLToPath(new URL('cli-child.ts', import.meta.url));
/** The program itself. */
export const mainFile: string = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** How a process ended and what it printed. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions extends Pick<SpawnOptions, 'cwd' | 'uid'> {
  /** Variables beside the process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default 'ignore' */
  readonly stdin?: 'ignore' | 'pipe';
  /** Collect stdout byte for byte, as latin1. @default false */
  readonly binary?: boolean;
  /** How the stand-in behaves: see `cli-child.ts`. @default 'plain' */
  readonly standIn?: 'plain' | 'steps' | 'slow' | 'missing' | 'bug' | 'busy';
  /** A file that gets a line whenever a model is loaded. */
  readonly log?: string;
  /** The file to run. @default the program with its stand-in */
  readonly file?: string;
}

/** A folder for what the program remembers, other than the user's. */
function home(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'osediff-home-'));
  return folder;
}
let folder: string | undefined;
process.once('exit', () => folder && rmSync(folder, { recursive: true, force: true }));

/** Start the program; `ended` resolves when it and its streams are closed. */
export function startCli(
  args: readonly string[],
  {
    standIn = 'plain',
    log = '',
    file = child,
    env,
    stdin = 'ignore',
    binary = false,
    ...options
  }: CliOptions = {},
): { process: ChildProcess; ended: Promise<Outcome> } {
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=osediff-source'];
  const process_ = spawn(process.execPath, [...flags, file, ...args], {
    ...options,
    env: { OSEDIFF_HOME: home(), ...process.env, ...env, STAND_IN: standIn, STAND_IN_LOG: log },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    process_[name]!.setEncoding(binary && name === 'stdout' ? 'latin1' : 'utf8').on(
      'data',
      (part: string) => (text[name] += part),
    );
  }
  const ended = new Promise<Outcome>((resolve, reject) => {
    process_.on('error', reject);
    process_.on('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  return { process: process_, ended };
}

/** Run the program to its end. */
export function runCli(args: readonly string[], options?: CliOptions): Promise<Outcome> {
  return startCli(args, options).ended;
}
