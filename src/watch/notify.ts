/** @file Tells systemd that the service is ready, alive, or stopping (sd_notify(3), by its own program). */
import { execFile } from 'node:child_process';

/** Speaks to the service manager. */
export interface Notifier {
  ready(): void;
  stopping(): void;
  /** Ends the watchdog's signs of life. */
  end(): void;
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
  const send = (...args: readonly string[]): void => {
    // Node has no datagram sockets of this kind; without the program nobody listens anyway.
    if (active) execFile('systemd-notify', args, { env }, () => undefined);
  };
  const watchdog = Number(env['WATCHDOG_USEC'] ?? 0) / 1000;
  const timer =
    active && watchdog > 0
      ? setInterval(() => {
          if (isAlive()) send('WATCHDOG=1');
        }, watchdog / 3)
      : undefined;
  timer?.unref();
  return {
    ready: () => send('--ready', '--status=watching'),
    stopping: () => send('STOPPING=1'),
    end: () => clearInterval(timer),
  };
}
