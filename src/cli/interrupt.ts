/** @file Ctrl-C and kill: the first asks for an orderly stop, the second ends the process at once. */
import { exitCodes } from './errors.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let controller: AbortController | undefined;

/**
 * A signal that aborts when the user interrupts. From the first call on the process no longer dies
 * of one interruption, so whoever asks for it must stop when it aborts.
 */
export function interruptSignal(): AbortSignal {
  if (!controller) {
    controller = new AbortController();
    for (const name of signals) process.on(name, interrupt);
  }
  return controller.signal;
}

/** Whether the user has interrupted. */
export function isInterrupted(): boolean {
  return controller?.signal.aborted === true;
}

/** Let the next interruption end the process, whatever it is doing. */
export function restoreSignals(): void {
  for (const name of signals) process.removeListener(name, interrupt);
}

function interrupt(name: NodeJS.Signals): void {
  if (!isInterrupted()) {
    controller?.abort();
    if (process.stderr.isTTY) process.stderr.write('\nStopping. Once more to stop at once.\n');
    return;
  }
  // `process.exit` would wait for native code in a worker, and then abort; what listens for the exit
  // (unfinished files are removed there) is told all the same.
  process.emit('exit', exitCodes.interrupted);
  restoreSignals();
  process.kill(process.pid, name);
}
