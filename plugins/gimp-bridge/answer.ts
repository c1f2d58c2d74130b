/** @file Writes answers: whole ones, and a job's stream of lines and pixels. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OsediffError } from 'osediff';
import type { Failure, JobEvent } from './protocol.ts';

/** Bytes of pixels handed to the socket at a time. */
const portion = 4 << 20;

/** Answers with one JSON object. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Turns away a request that may not be here: its body is not read, its connection ends. */
export function turnAway(
  request: IncomingMessage,
  response: ServerResponse,
  { status, ...error }: Failure & { readonly status: number },
): void {
  response.setHeader('connection', 'close');
  response.on('finish', () => request.socket.destroySoon());
  sendJson(response, status, { error });
}

/** Starts the stream of a job. */
export function startStream(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'cache-control': 'no-store',
  });
  response.flushHeaders();
}

/** Sends a line of a job's stream; to one who no longer listens, nothing. */
export function sendEvent(response: ServerResponse, event: JobEvent): void {
  if (response.writable) response.write(`${JSON.stringify(event)}\n`);
}

/**
 * Sends pixels as fast as the client takes them.
 *
 * @param patience ms that it may take for one portion; then the connection is cut
 * @throws the signal's reason when the connection ends
 */
export async function sendPixels(
  response: ServerResponse,
  pixels: Uint8Array,
  patience: number,
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < pixels.length; start += portion) {
    signal.throwIfAborted();
    if (response.write(pixels.subarray(start, start + portion))) continue;
    const timer = setTimeout(() => response.destroy(), patience);
    try {
      await once(response, 'drain', { signal });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** An error as it crosses the wire: its message where it is the input's fault, else its class too. */
export function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const text = error instanceof OsediffError ? message : `${name}: ${message}`;
  return { name, message: text.replaceAll(/\s+/g, ' ') };
}
