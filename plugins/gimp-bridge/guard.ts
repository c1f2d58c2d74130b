/** @file Who may talk to the service: programs of this machine that know the token, and no web page. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Failure } from './protocol.ts';

/** Why a request is turned away. */
export interface Refusal extends Failure {
  readonly status: number;
}

/**
 * Looks at the head of a request, before anything of its body is read.
 *
 * A page in the user's browser can reach loopback: it sends an Origin, or, after rebinding its own
 * name to 127.0.0.1, another Host. Neither is let in, token or not.
 *
 * @returns undefined when the request may pass
 */
export function refusal(
  headers: IncomingHttpHeaders,
  { port, token }: { readonly port: number; readonly token: string },
): Refusal | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(headers.host ?? '')) {
    return refused(421, `Host: expected ${hosts[0]}, got another.`);
  }
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    return refused(403, 'Origin: expected none, got a web page. Only local programs are served.');
  }
  if (!isSame(headers.authorization ?? '', `Bearer ${token}`)) {
    return refused(
      401,
      'Authorization: expected the token of this service, got another. Read its file again.',
    );
  }
  return undefined;
}

/** Compares in a time that tells nothing about the wanted text, its length included. */
function isSame(got: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(got), digest(wanted));
}

function refused(status: number, message: string): Refusal {
  return { status, name: 'Refused', message };
}
