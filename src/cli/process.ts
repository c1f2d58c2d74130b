/** @file The process around a command line: its streams, its exit code, its end. */
import { restoreSignals } from './interrupt.ts';
import { run, type CommandTable } from './run.ts';

/** Run the process's own command line and leave its exit code in `process.exitCode`. */
export async function runProcess(table?: CommandTable): Promise<void> {
  // Whoever reads our text may stop early (`| head`); the pictures are finished all the same.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  process.exitCode = await run(process.argv.slice(2), table);
  // No `process.exit`: it aborts the process where a worker is in onnxruntime's native code.
  restoreSignals();
}
