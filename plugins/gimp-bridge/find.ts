/** @file Finds the service that is running, as clients do. */
import { type Endpoint, readEndpoint } from './endpoint.ts';
import type { Status } from './protocol.ts';

/** A service that answered. */
export interface Found extends Endpoint {
  readonly status: Status;
}

/**
 * The service that a file points to; undefined where there is no file, or nobody listens any more.
 *
 * @param patience ms to wait for its answer
 */
export async function findService(file: string, patience = 3000): Promise<Found | undefined> {
  const endpoint = await readEndpoint(file);
  if (!endpoint) return undefined;
  try {
    const response = await fetch(`http://127.0.0.1:${endpoint.port}/v1/status`, {
      headers: { authorization: `Bearer ${endpoint.token}` },
      signal: AbortSignal.timeout(patience),
    });
    return response.ok ? { ...endpoint, status: (await response.json()) as Status } : undefined;
  } catch {
    return undefined; // refused, or no HTTP: the port is another program's by now
  }
}
