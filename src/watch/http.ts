/** @file The watcher over HTTP: status page, health checks, metrics, and retrying what failed. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PathError } from '../tensor/errors.ts';
import type { Folder } from './folder.ts';
import type { History } from './history.ts';
import type { Metrics } from './metrics.ts';
import { pageCss, pageHtml, pageIcon, pageScript } from './page.ts';
import { obstacles, statusOf } from './status.ts';

/** What is served. */
export interface Served {
  readonly folders: readonly Folder[];
  readonly history: History;
  readonly metrics: Metrics;
}

/** An answer, before it is written. */
interface Answer {
  readonly code?: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

/** A folder that has not been swept for so long is stuck, in ms. */
const longestSweep = 10 * 60_000;
/** A request to retry is a few dozen bytes. */
const longestBody = 4096;

/**
 * Starts to serve.
 *
 * @returns the port, which is another one than asked for when that was 0, and what ends it
 * @throws PathError when the address cannot be used
 */
export async function serve(
  served: Served,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const loopback = isLoopback(host);
  const server = createServer((request, response) => {
    answer(request, served, loopback)
      .catch((error: unknown) => plain(500, `${String(error)}\n`))
      .then((result) => write(response, result))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const got = cause.code ?? cause.message;
      reject(
        new PathError(
          `http: expected a free address, got ${host}:${port} (${got}). Choose another with --http.`,
          { cause },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  request: IncomingMessage,
  served: Served,
  loopback: boolean,
): Promise<Answer> {
  const { folders, history, metrics } = served;
  // A page elsewhere may point a name of its own at this machine and read what is served here.
  if (loopback && !isLoopback(hostOf(request))) return plain(403, 'another host\n');
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  if (request.method === 'POST') {
    return path === '/api/retry' ? retry(request, folders) : plain(404, 'nothing here\n');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'GET or POST\n');
  switch (path) {
    case '/':
      return { type: 'text/html; charset=utf-8', body: pageHtml };
    case '/icon.svg':
      return { type: 'image/svg+xml', body: pageIcon };
    case '/page.css':
      return { type: 'text/css; charset=utf-8', body: pageCss };
    case '/page.js':
      return { type: 'text/javascript; charset=utf-8', body: pageScript };
    case '/api/status':
      return json(200, await statusOf(folders, history));
    case '/healthz': {
      const stuck = folders.filter(
        ({ sweptAt }) => sweptAt !== 0 && Date.now() - sweptAt > longestSweep,
      );
      return stuck.length === 0
        ? plain(200, 'ok\n')
        : plain(503, 'a folder is not looked at any more\n');
    }
    case '/readyz': {
      const reasons = obstacles(folders);
      return reasons.length === 0 ? plain(200, 'ok\n') : plain(503, `${reasons.join('\n')}\n`);
    }
    case '/metrics':
      return { type: metrics.contentType, body: await metrics.text() };
    default:
      return preview(path, history);
  }
}

function preview(path: string, history: History): Answer {
  const [, id, which] = /^\/preview\/(\d+)\/(before|after)$/.exec(path) ?? [];
  const body = id && history.preview(Number(id), which as 'before' | 'after');
  return body ? { type: 'image/webp', body } : plain(404, 'nothing here\n');
}

/** The page sends JSON, which no page elsewhere can without asking first. */
async function retry(request: IncomingMessage, folders: readonly Folder[]): Promise<Answer> {
  const { origin, 'content-type': type } = request.headers;
  const foreign = origin !== undefined && origin !== `http://${request.headers.host}`;
  if (foreign || type !== 'application/json') return plain(403, 'only from the status page\n');
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > longestBody) return plain(413, 'too long\n');
  }
  let asked: { folder?: unknown; id?: unknown } | null;
  try {
    asked = JSON.parse(text) as typeof asked;
  } catch {
    return plain(400, 'expected JSON\n');
  }
  const folder = folders[Number(asked?.folder)];
  if (!folder || typeof asked?.id !== 'string') return plain(400, 'expected folder and id\n');
  const there = await folder.retry(asked.id);
  return json(there ? 200 : 404, { retried: there });
}

function hostOf(request: IncomingMessage): string {
  return (request.headers.host ?? '').replace(/:\d+$/, '');
}

/** Whether a host name or address is this machine's own, and reached by nobody else. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i.test(host);
}

function plain(code: number, body: string): Answer {
  return { code, type: 'text/plain; charset=utf-8', body };
}

function json(code: number, value: unknown): Answer {
  return { code, type: 'application/json', body: JSON.stringify(value) };
}

function write(response: ServerResponse, { code = 200, type, body }: Answer): void {
  response.writeHead(code, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
