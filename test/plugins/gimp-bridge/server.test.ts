import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { DeviceError, type Picture, WeightError } from 'osediff';
import { findService } from '../../../plugins/gimp-bridge/find.ts';
import {
  type Service,
  type ServiceOptions,
  startService,
} from '../../../plugins/gimp-bridge/server.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { nearestLoader } from '../../helpers/nearest-upscaler.ts';
import { ask, jobBody, messageOf, open, upscale } from './client.ts';

async function start(t: ExecutionContext, options: ServiceOptions = {}): Promise<Service> {
  const service = await startService({
    load: nearestLoader(),
    file: join(temporaryFolder(t), 'home', 'engine.json'),
    ...options,
  });
  t.teardown(() => service.close());
  return service;
}

const small = { width: 2, height: 1, channels: 3, type: 'u8', scale: 2 };
const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6);
const doubled = Buffer.from([1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);

async function jobs(service: Service): Promise<number> {
  return (await findService(service.file))?.status.jobs ?? -1;
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await sleep(10);
  }
  throw new Error('the condition did not come about in 5 s');
}

test('a job streams its progress, then the pixels that its result line announces', async (t) => {
  const service = await start(t);
  const { events, pixels: out } = await upscale(service, small, pixels);
  t.deepEqual(
    events.map(({ event }) => event),
    ['loading', ...Array<string>(6).fill('progress'), 'result'],
  );
  t.deepEqual(events[3], { event: 'progress', phase: 'tiles', done: 2, total: 4 });
  t.deepEqual(events.at(-1), {
    event: 'result',
    width: 4,
    height: 2,
    channels: 3,
    type: 'u8',
    bytes: 24,
  });
  t.deepEqual(out, Buffer.concat([doubled, doubled]));
});

test('the file is for the user alone and tells where the service is', async (t) => {
  const { file, port, token } = await start(t);
  if (process.platform !== 'win32') t.is(statSync(file).mode & 0o777, 0o600);
  t.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
    protocol: 1,
    port,
    token,
    pid: process.pid,
  });
  t.regex(token, /^[0-9a-f]{64}$/);
});

test('the file goes when the service stops, but not the file of a later service', async (t) => {
  const service = await start(t);
  const later = await start(t, { file: service.file });
  await service.close();
  t.is((await findService(service.file))?.token, later.token);
  await later.close();
  await t.throwsAsync(readFile(service.file), { code: 'ENOENT' });
  t.is(await findService(service.file), undefined);
});

test('the model stays loaded from job to job and changes when another is asked for', async (t) => {
  const log: string[] = [];
  const loader = nearestLoader({ onDispose: () => log.push('dispose') });
  const service = await start(t, {
    load: (options) => {
      log.push(`load ${options.model}`);
      return loader(options);
    },
  });
  for (const model of ['a', 'a', 'b']) await upscale(service, { ...small, model }, pixels);
  t.deepEqual(log, ['load a', 'dispose', 'load b']);
  await service.close();
  t.is(log.at(-1), 'dispose');
});

test('settings of the job reach the model', async (t) => {
  let seen: object | undefined;
  const before = (_: Picture, options: object): void => void (seen = options);
  const service = await start(t, { load: nearestLoader({ before }) });
  const settings = { detail: 0.5, prompt: 'Bäume', color: 'wavelet', tile: 256, overlap: 0 };
  await upscale(service, { ...small, ...settings }, pixels);
  t.like(seen, { scale: 2, ...settings });
});

test("a job's own error comes as its last line, and the service goes on", async (t) => {
  let fault: Error | undefined = new WeightError('x: expected a, got b. Do c.');
  const service = await start(t, {
    load: nearestLoader({
      before: () => {
        if (fault) throw fault;
      },
    }),
  });
  const { events } = await upscale(service, small, pixels);
  t.deepEqual(events.at(-1), { event: 'error', name: 'WeightError', message: fault.message });
  fault = undefined;
  t.is((await upscale(service, small, pixels)).pixels.length, 24);
});

test('a model whose device is gone is loaded anew for the next job', async (t) => {
  let loads = 0;
  const service = await start(t, {
    load: (options) => {
      const before = (): void => {
        if (loads === 1) throw new DeviceError('upscaler: its thread has ended.');
      };
      loads++;
      return nearestLoader({ before })(options);
    },
  });
  t.is((await upscale(service, small, pixels)).events.at(-1)!.event, 'error');
  t.is((await upscale(service, small, pixels)).events.at(-1)!.event, 'result');
  t.is(loads, 2);
});

test('jobs run one at a time, in the order they came', async (t) => {
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const nearest = nearestLoader();
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const service = await start(t, {
    load: async (options) => {
      const up = await nearest(options);
      const slow: typeof up.upscale = async (input, options) => {
        most = Math.max(most, ++running);
        order.push('data' in input ? input.data[0]! : -1);
        await gate;
        return up.upscale(input, options).finally(() => running--);
      };
      return { ...up, upscale: slow };
    },
  });
  const all = [];
  for (let i = 1; i <= 4; i++) {
    all.push(
      upscale(
        service,
        small,
        Uint8Array.from(pixels, () => i),
      ),
    );
    await until(async () => (await jobs(service)) === i);
  }
  open();
  const results = await Promise.all(all);
  t.is(most, 1);
  t.deepEqual(order, [1, 2, 3, 4]);
  t.deepEqual(
    results[3]!.events.filter(({ event }) => event === 'queued'),
    [3, 2, 1].map((ahead) => ({ event: 'queued', ahead })),
  );
  t.deepEqual(
    results.map(({ pixels }) => pixels[0]),
    [1, 2, 3, 4],
  );
});

test('closing the connection cancels the job under way and the one that waits', async (t) => {
  const aborted: number[] = [];
  const service = await start(t, {
    load: nearestLoader({
      step: 60_000,
      before: ({ data }, { signal }) =>
        signal!.addEventListener('abort', () => aborted.push(data[0]!)),
    }),
  });
  const submit = (value: number): ReturnType<typeof open> => {
    const body = jobBody(
      small,
      Uint8Array.from(pixels, () => value),
    );
    const connection = open(service.port);
    connection.socket.write(head(service, body.length));
    connection.socket.write(body);
    return connection;
  };
  const first = submit(7);
  await once(first.socket, 'data');
  const second = submit(8);
  await once(second.socket, 'data');
  t.is(await jobs(service), 2);
  second.socket.destroy();
  await until(async () => (await jobs(service)) === 1);
  t.deepEqual(aborted, []);
  first.socket.end(); // as when GIMP kills the plug-in: the system closes its sockets
  await until(async () => (await jobs(service)) === 0);
  t.deepEqual(aborted, [7]);
});

function head({ port, token }: Service, length: number, more = ''): string {
  return `POST /v1/upscale HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

test('stopping cancels the jobs and frees the model', async (t) => {
  let disposed = false;
  const load = nearestLoader({ step: 60_000, onDispose: () => (disposed = true) });
  const service = await start(t, { load });
  const job = upscale(service, small, pixels);
  await until(async () => (await jobs(service)) === 1);
  await service.close();
  await t.throwsAsync(job);
  t.true(disposed);
});

test('stops by itself after an idle time, which strangers do not prolong', async (t) => {
  const begin = performance.now();
  const service = await start(t, { idle: 300 });
  const stranger = setInterval(() => open(service.port, 'GET /v1/status HTTP/1.1\r\n\r\n'), 50);
  t.teardown(() => clearInterval(stranger));
  await service.closed;
  t.true(performance.now() - begin >= 290);
  await t.throwsAsync(readFile(service.file), { code: 'ENOENT' });
});

test('a job keeps the service from stopping', async (t) => {
  const service = await start(t, { idle: 2000, load: nearestLoader({ step: 600 }) });
  t.is((await upscale(service, small, pixels)).pixels.length, 24);
});

test('lists the upscalers', async (t) => {
  const { status, body } = await ask(await start(t), 'GET', '/v1/models');
  t.is(status, 200);
  const { models } = JSON.parse(body.toString()) as { models: { name: string }[] };
  t.true(models.some(({ name }) => name === 'compact'));
});

test('stops when it is told to', async (t) => {
  const service = await start(t);
  t.is((await ask(service, 'POST', '/v1/stop')).status, 200);
  await service.closed;
  t.pass();
});

test('says that a path is not of its protocol', async (t) => {
  const answer = await ask(await start(t), 'GET', '/v2/status');
  t.is(answer.status, 404);
  t.regex(messageOf(answer), /expected a path of its protocol/);
});
