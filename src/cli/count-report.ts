/** @file Progress over a known number of pictures: a bar on terminals, a line now and then elsewhere. */
import { oneLine } from './errors.ts';
import { barLine, secondsLeft } from './progress.ts';
import type { Output } from './report.ts';

/** Tells how far a count has come. */
export interface CountReporter {
  /** `done` of `total` are through, `name` being the last. */
  onCount(done: number, total: number, name: string): void;
  /** Takes the bar away. */
  end(): void;
}

/** Milliseconds between two drawings of the bar, and between two plain lines. */
const pause = { bar: 100, plain: 5000 } as const;

/**
 * @param stderr where to write
 * @param now clock in milliseconds
 */
export function countReporter(
  stderr: Output = process.stderr,
  now: () => number = () => performance.now(),
): CountReporter {
  const live = stderr.isTTY === true;
  const start = now();
  let last = live ? Number.NEGATIVE_INFINITY : start;
  let shown = false;
  return {
    onCount(done, total, name): void {
      const time = now();
      if (time - last < (live ? pause.bar : pause.plain)) return;
      last = time;
      const label = `${done}/${total} ${oneLine(name)}`;
      if (!live) {
        stderr.write(`${label}\n`);
        return;
      }
      const fraction = done / total;
      const left = secondsLeft((time - start) / 1000, fraction);
      const line = barLine({ fraction, label, secondsLeft: left }, stderr.columns ?? 80);
      stderr.write(`\r${line}\u001b[K`);
      shown = true;
    },
    end(): void {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}
