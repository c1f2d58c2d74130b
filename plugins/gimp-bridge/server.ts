/** @file The engine service: a warm model behind loopback HTTP, for GIMP and other local programs. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { DeviceError, listModels, loadUpscaler, ShapeError, UsageError } from 'osediff';
import { failureOf, sendEvent, sendJson, turnAway } from './answer.ts';
import {
  type Endpoint,
  endpointFile,
  newToken,
  removeEndpoint,
  writeEndpoint,
} from './endpoint.ts';
import { refusal } from './guard.ts';
import { Jobs } from './jobs.ts';
import { type Limits, usualLimits } from './limits.ts';
import { type ModelList, protocolVersion, type Status } from './protocol.ts';
import type { Load } from './warm.ts';

/** How a service runs. */
export interface ServiceOptions {
  /** Where models come from. @default loadUpscaler */
  readonly load?: Load;
  /** Where the port and the token are written. @default engine.json in the data folder */
  readonly file?: string;
  /** @default 'auto' */
  readonly device?: string;
  /** @default 'fp32' */
  readonly precision?: 'fp32' | 'fp16';
  /** Stops after so many ms without a question or a job; 0 never does. @default 15 minutes */
  readonly idle?: number;
  readonly limits?: Partial<Limits>;
}

/** A running service. */
export interface Service extends Endpoint {
  /** Where its port and token are written. */
  readonly file: string;
  /** Resolves when it has stopped, by itself or by `close`. */
  readonly closed: Promise<void>;
  /** Cancels all jobs and stops. */
  close(): Promise<void>;
}

const usualIdle = 15 * 60 * 1000;

/**
 * Starts the service on a free port of 127.0.0.1 and writes its file.
 *
 * @throws PathError when the file cannot be written
 */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const { load = loadUpscaler, file = endpointFile(), idle = usualIdle } = options;
  const { device = 'auto', precision = 'fp32' } = options;
  const limits = { ...usualLimits(), ...options.limits };
  const jobs = new Jobs(load, { device, precision }, limits);
  const stopped = new AbortController();
  const server = boundedServer(limits);
  const port = await listen(server);
  const endpoint: Endpoint = {
    protocol: protocolVersion,
    port,
    token: newToken(),
    pid: process.pid,
  };

  const closed = new Promise<void>((resolve) => {
    server.on('close', resolve);
  }).then(() => jobs.dispose());
  const close = async (): Promise<void> => {
    await removeEndpoint(file, endpoint);
    stopped.abort();
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const attend = whileAwake(idle, () => void close());

  server.on('request', (request, response) => {
    const refused = refusal(request.headers, endpoint);
    if (refused) {
      turnAway(request, response, refused);
      return;
    }
    attend(response);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, stopped.signal]);
    answer(request, response, signal).catch((error: unknown) => {
      if (!signal.aborted) sendFailure(request, response, error);
    });
  });

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/status':
        return sendJson(response, 200, statusOf(jobs));
      case 'GET /v1/models':
        return sendJson(response, 200, await models());
      case 'POST /v1/upscale':
        return jobs.answer(request, response, signal);
      case 'POST /v1/stop':
        response.on('close', () => void close());
        return sendJson(response, 200, {});
      default:
        return sendJson(response, 404, {
          error: {
            name: 'UsageError',
            message: 'service: expected a path of its protocol. Update it.',
          },
        });
    }
  }

  try {
    await writeEndpoint(file, endpoint);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...endpoint, file, closed, close };
}

/** A server that no client can fill with half-sent requests. */
function boundedServer({ head, request, connections }: Limits): Server {
  const server = createServer({
    headersTimeout: head,
    requestTimeout: request,
    connectionsCheckingInterval: Math.min(1000, head),
    maxHeaderSize: 8192,
  });
  server.maxConnections = connections;
  server.maxRequestsPerSocket = 1;
  return server;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/**
 * Calls `stop` when nobody has been attended to for `idle` ms.
 *
 * @returns to be called with each answer that keeps the service awake
 */
function whileAwake(idle: number, stop: () => void): (response: ServerResponse) => void {
  let active = 0;
  let timer: NodeJS.Timeout | undefined;
  const rest = (): void => {
    // unreferenced: a service that is closed ends at once, a running one stays by its socket
    if (idle > 0) timer = setTimeout(stop, idle).unref();
  };
  rest();
  return (response) => {
    active++;
    clearTimeout(timer);
    response.on('close', () => {
      if (--active === 0) rest();
    });
  };
}

function statusOf({ room }: Jobs): Status {
  const { version } = createRequire(import.meta.url)('osediff/package.json') as { version: string };
  return { protocol: protocolVersion, version, jobs: room.jobs };
}

/** The upscalers among the models; a damaged one is left out. */
async function models(): Promise<ModelList> {
  const found = (await listModels()).flatMap((model) => ('error' in model ? [] : [model]));
  return {
    models: found
      .filter(({ manifest }) => manifest?.kind === undefined)
      .map(({ name, manifest }) => ({ name, prompt: manifest?.prompt ?? null })),
  };
}

/** Tells what went wrong: in the stream where it has begun, else with a status. */
function sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const failure = failureOf(error);
  if (response.headersSent) {
    sendEvent(response, { event: 'error', ...failure });
    response.end();
    return;
  }
  request.resume(); // a client that is still sending reads the answer afterwards
  sendJson(response, statusCode(error), { error: failure });
}

function statusCode(error: unknown): number {
  if (error instanceof UsageError) return 400;
  if (error instanceof ShapeError) return 413;
  return error instanceof DeviceError ? 503 : 500;
}
