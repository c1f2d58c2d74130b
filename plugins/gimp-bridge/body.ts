/** @file Reads what a client sends for a job: its line, then exactly the pixels that it announces. */
import type { IncomingMessage } from 'node:http';
import { ShapeError, UsageError } from 'osediff';
import { type Job, longestLine, parseJob, pixelBytes } from './protocol.ts';

/** A job with its pixels. */
export interface Submitted {
  readonly job: Job;
  readonly pixels: ArrayBuffer;
}

/**
 * Reads a job. Memory for the pixels is taken once their size has been found to be the announced one
 * in both places, the line and Content-Length.
 *
 * @param check may throw for a job that is not to be read any further
 * @throws UsageError for a line that is none, ShapeError when sizes differ
 */
export async function readJob(
  request: IncomingMessage,
  check: (job: Job) => void,
): Promise<Submitted> {
  const length = announcedLength(request);
  const head: Buffer[] = [];
  let headBytes = 0;
  let job: Job | undefined;
  let pixels = new Uint8Array(0);
  let filled = 0;
  const fill = (part: Buffer): void => {
    if (filled + part.length > pixels.length) throw differs(pixels.length, filled + part.length);
    pixels.set(part, filled);
    filled += part.length;
  };
  for await (const part of request as AsyncIterable<Buffer>) {
    if (job) {
      fill(part);
      continue;
    }
    const end = part.indexOf('\n');
    headBytes += end < 0 ? part.length : end;
    if (headBytes > longestLine) {
      throw new UsageError(
        `job: expected a line of at most ${longestLine} bytes, got a longer one.`,
      );
    }
    head.push(end < 0 ? part : part.subarray(0, end));
    if (end < 0) continue;
    job = parseJob(Buffer.concat(head).toString('utf8'));
    const wanted = pixelBytes(job);
    if (length !== headBytes + 1 + wanted) throw differs(wanted, length - headBytes - 1);
    check(job);
    pixels = new Uint8Array(wanted);
    fill(part.subarray(end + 1));
  }
  if (!job) throw new UsageError('job: expected a line of JSON before the pixels, got none.');
  if (filled !== pixels.length) throw differs(pixels.length, filled);
  return { job, pixels: pixels.buffer };
}

/** @throws UsageError when the client does not say how much it sends */
export function announcedLength({ headers }: IncomingMessage): number {
  const length = Number(headers['content-length'] ?? Number.NaN);
  if (Number.isSafeInteger(length) && length > 0) return length;
  throw new UsageError('job: expected a Content-Length, got none.');
}

function differs(wanted: number, got: number): ShapeError {
  return new ShapeError(
    `job: expected ${wanted} bytes of pixels after its line, got ${got}. Send rows without padding.`,
  );
}
