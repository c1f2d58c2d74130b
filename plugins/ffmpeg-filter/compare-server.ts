/** @file Serves a comparison of two films to this machine's browser, and ffmpeg.wasm for what that does not play. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { comparePage } from './compare-page.ts';

export interface CompareServer {
  /** Where the page is. */
  readonly address: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/mp4',
  '.webm': 'video/webm',
  '.mkv': 'video/x-matroska',
};

/**
 * Serve the page at `127.0.0.1`; nothing but the two films and the page's own files is reachable.
 *
 * @param port 0 for any that is free
 * @param rate frames a second
 */
export async function serveComparison(
  before: string,
  after: string,
  {
    port = 0,
    rate,
    text,
  }: { readonly port?: number; readonly rate: number; readonly text: string },
): Promise<CompareServer> {
  const require = createRequire(import.meta.url);
  const core = path.dirname(require.resolve('@ffmpeg/core'));
  // The wrapper's own entry is empty in Node; its browser build lies beside it.
  const wrapper = path.resolve(path.dirname(require.resolve('@ffmpeg/ffmpeg')), '../umd');
  const page = comparePage({
    before: { url: '/before', name: path.basename(before) },
    after: { url: '/after', name: path.basename(after) },
    rate,
    text,
  });
  const files: Readonly<Record<string, string>> = {
    '/before': before,
    '/after': after,
    '/ffmpeg/ffmpeg.js': path.join(wrapper, 'ffmpeg.js'),
    '/ffmpeg/814.ffmpeg.js': path.join(wrapper, '814.ffmpeg.js'),
    '/core/ffmpeg-core.js': path.join(core, 'ffmpeg-core.js'),
    '/core/ffmpeg-core.wasm': path.join(core, 'ffmpeg-core.wasm'),
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { port: own } = server.address() as AddressInfo;
    // A page elsewhere must not reach the films by a name of its own for this address.
    if (request.headers.host !== `127.0.0.1:${own}`) return end(response, 403);
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405);
    const name = new URL(request.url ?? '/', 'http://127.0.0.1').pathname;
    if (name === '/') {
      response.writeHead(200, { 'content-type': types['.html'] }).end(page);
      return;
    }
    const file = Object.hasOwn(files, name) ? files[name] : undefined;
    if (file === undefined) return end(response, 404);
    await sendFile(file, request, response);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      if (!response.headersSent) end(response, 500);
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

/** A file or the range of it that is asked for: browsers seek in films by ranges. */
async function sendFile(
  file: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { size } = await stat(file);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const last = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1);
  if (start > last) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    return;
  }
  response.writeHead(range ? 206 : 200, {
    'content-type': types[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
    'content-length': last - start + 1,
    'accept-ranges': 'bytes',
    ...(range && { 'content-range': `bytes ${start}-${last}/${size}` }),
  });
  if (request.method === 'HEAD') response.end();
  else {
    const stream = createReadStream(file, { start, end: last });
    response.on('close', () => stream.destroy());
    stream.on('error', () => response.destroy()).pipe(response);
  }
}
