/** @file A small client of the engine service, and a raw one for attacks. */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { JobEvent } from '../../../plugins/gimp-bridge/protocol.ts';

/** Where a service listens. */
export interface Target {
  readonly port: number;
  readonly token: string;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Sends a request with its token and reads the answer. */
export function ask(
  { port, token }: Target,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: Uint8Array } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-length': body.length }),
        ...headers,
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }),
      );
    });
    sent.end(body);
  });
}

/** A job's line and pixels as one body. */
export function jobBody(job: object, pixels: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ protocol: 1, ...job })}\n`), pixels]);
}

/** Runs a job to its end. */
export async function upscale(
  target: Target,
  job: object,
  pixels: Uint8Array,
): Promise<{ readonly events: readonly JobEvent[]; readonly pixels: Buffer }> {
  const { status, body } = await ask(target, 'POST', '/v1/upscale', {
    body: jobBody(job, pixels),
  });
  if (status !== 200) throw new Error(`${status} ${body.toString()}`);
  const events: JobEvent[] = [];
  let rest = body;
  while (rest.length > 0) {
    const end = rest.indexOf('\n');
    const event = JSON.parse(rest.subarray(0, end).toString()) as JobEvent;
    events.push(event);
    rest = rest.subarray(end + 1);
    if (event.event === 'result') break;
  }
  return { events, pixels: Buffer.from(rest) };
}

/** The message of a refusal. */
export function messageOf({ body }: Answer): string {
  return (JSON.parse(body.toString()) as { error: { message: string } }).error.message;
}

/** A bare connection. @returns it, and all that comes until it is closed */
export function open(port: number, text = ''): { socket: Socket; ended: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  let got = '';
  socket.setEncoding('latin1').on('data', (part: string) => (got += part));
  const ended = new Promise<string>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(got));
  });
  if (text) socket.write(text);
  return { socket, ended };
}
