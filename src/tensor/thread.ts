/** @file Starts threads and processes from this package's files, as built or straight from the sources. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A worker thread that runs a module beside the caller.
 *
 * @param name the module's file without its extension, such as `./worker`
 * @param from the caller's `import.meta.url`
 */
export function startThread(name: string, from: string, options: WorkerOptions = {}): Worker {
  if (!from.endsWith('.ts')) return new Worker(new URL(`${name}.js`, from), options);
  // From sources, as tests run: threads do not inherit the loader that strips types.
  const loader = import.meta.resolve('tsx/esm/api');
  const file = new URL(`${name}.ts`, from).href;
  const code = `import { register } from ${JSON.stringify(loader)}; register(); await import(${JSON.stringify(file)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}

/**
 * A process of its own that runs a module; its output is piped, and it may send messages.
 *
 * @param name the module's file without its extension @param from the caller's `import.meta.url`
 */
export function startProcess(name: string, from: string, args: readonly string[]): ChildProcess {
  const sources = from.endsWith('.ts');
  const file = fileURLToPath(new URL(`${name}${sources ? '.ts' : '.js'}`, from));
  const loader = (): string[] => [
    '--import',
    import.meta.resolve('tsx'),
    '--conditions=osediff-source',
  ];
  return fork(file, [...args], { silent: true, execArgv: sources ? loader() : [] });
}
