/** @file Tells systemd that the service is ready, alive, or stopping (sd_notify(3), by its own program). */
import { execFile } from 'node:child_process';

/** Speaks to the service manager. */
export interface Notifier {
  /** From here on signs of life are sent, where the manager wants them. */
  ready(): void;
  stopping(): void;
}

/**
 * A notifier for the service manager that started us; without one it does nothing.
 *
 * @param isAlive asked before each sign of life: a watcher that is stuck is to be restarted
 */
export function createNotifier(
  isAlive: () => boolean,
  env: NodeJS.ProcessEnv = process.env,
): Notifier {
  const active = env['NOTIFY_SOCKET'] !== undefined;
  const watchdog = Number(env['WATCHDOG_USEC'] ?? 0) / 1000;
  let timer: NodeJS.Timeout | undefined;
  const send = (...args: readonly string[]): void => {
    // Node has no datagram sockets of this kind; without the program nobody listens anyway.
    if (active) execFile('systemd-notify', args, { env }, () => undefined);
  };
  return {
    ready() {
      send('--ready', '--status=watching');
      if (!active || !(watchdog > 0)) return;
      timer = setInterval(() => {
        if (isAlive()) send('WATCHDOG=1');
      }, watchdog / 3);
      timer.unref();
    },
    stopping() {
      clearInterval(timer);
      send('STOPPING=1');
    },
  };
}
