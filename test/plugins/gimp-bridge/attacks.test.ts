/** @file What the service does with clients that mean harm, or are broken. */
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Limits } from '../../../plugins/gimp-bridge/limits.ts';
import { type Service, startService } from '../../../plugins/gimp-bridge/server.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { nearestLoader } from '../../helpers/nearest-upscaler.ts';
import { ask, jobBody, messageOf, open, upscale } from './client.ts';

interface Watched extends Service {
  /** Pictures that reached the model. */
  readonly seen: () => number;
}

async function start(
  t: ExecutionContext,
  limits: Partial<Limits> = {},
  step = 0,
): Promise<Watched> {
  let seen = 0;
  const service = await startService({
    load: nearestLoader({ step, before: () => seen++ }),
    file: join(temporaryFolder(t), 'engine.json'),
    limits,
  });
  t.teardown(() => service.close());
  return { ...service, seen: () => seen };
}

const small = { width: 2, height: 1, channels: 3, type: 'u8', scale: 2 };
const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6);

/** The service still does what it is for. */
async function isWell(t: ExecutionContext, service: Service): Promise<void> {
  t.is((await upscale(service, small, pixels)).pixels.length, 24);
}

const refusesHeaders = test.macro(
  async (t, headers: Record<string, string>, status: number, message: RegExp) => {
    const service = await start(t);
    const body = jobBody(small, pixels);
    const answer = await ask(service, 'POST', '/v1/upscale', { headers, body });
    t.is(answer.status, status);
    t.regex(messageOf(answer), message);
    t.is(service.seen(), 0);
    await isWell(t, service);
  },
);

test('refuses no token', refusesHeaders, { authorization: '' }, 401, /^Authorization: /);
test('refuses a wrong token', refusesHeaders, { authorization: `Bearer ${'0'.repeat(64)}` }, 401, /^Authorization: /); // prettier-ignore
test('refuses a long token', refusesHeaders, { authorization: `Bearer ${'0'.repeat(7000)}` }, 401, /^Authorization: /); // prettier-ignore
test('refuses another scheme', refusesHeaders, { authorization: 'Basic dTpw' }, 401, /^Authorization: /); // prettier-ignore
test('refuses another Host, as after DNS rebinding', refusesHeaders, { host: 'evil.example' }, 421, /^Host: /); // prettier-ignore
test('refuses another port in Host', refusesHeaders, { host: '127.0.0.1:1' }, 421, /^Host: /);
test('refuses a web page', refusesHeaders, { origin: 'http://127.0.0.1' }, 403, /^Origin: /);
test(
  'refuses the Origin of a sandboxed page',
  refusesHeaders,
  { origin: 'null' },
  403,
  /^Origin: /,
);
test("refuses a browser's fetch without Origin", refusesHeaders, { 'sec-fetch-site': 'none' }, 403, /^Origin: /); // prettier-ignore

test('grants no page a preflight', async (t) => {
  const service = await start(t);
  const { socket, ended } = open(
    service.port,
    `OPTIONS /v1/upscale HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
  );
  const answer = await ended;
  t.regex(answer, /^HTTP\/1\.1 403 /);
  t.notRegex(answer, /access-control-allow/i);
  socket.destroy();
});

test('reads nothing of a stranger’s body', async (t) => {
  const service = await start(t);
  const { ended } = open(
    service.port,
    `POST /v1/upscale HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nContent-Length: 1000000000\r\n\r\n`,
  );
  t.regex(await ended, /^HTTP\/1\.1 401 /); // at once, and the connection is closed
});

const refusesJob = test.macro(
  async (t, body: Uint8Array, status: number, message: RegExp, limits?: Partial<Limits>) => {
    const service = await start(t, limits);
    const answer = await ask(service, 'POST', '/v1/upscale', { body });
    t.is(answer.status, status);
    t.regex(messageOf(answer), message);
    t.is(service.seen(), 0);
    await isWell(t, service);
  },
);

const text = (line: string): Buffer => Buffer.from(line);
const wide = { ...small, width: 524288, height: 524288 };

test('(a picture of 824 GB)', refusesJob, jobBody(wide, pixels), 413, /expected 824633720832 bytes of pixels/); // prettier-ignore
test('(fewer pixels than the line says)', refusesJob, jobBody({ ...small, height: 2 }, pixels), 413, /expected 12 bytes of pixels after its line, got 6/); // prettier-ignore
test('(more pixels than the line says)', refusesJob, jobBody({ ...small, width: 1 }, pixels), 413, /expected 3 bytes/); // prettier-ignore
test('(a result too large)', refusesJob, jobBody({ ...small, scale: 16 }, pixels), 413, /result of at most 0\.0 megapixels/, { outputPixels: 100 }); // prettier-ignore
test('(more bytes than are kept)', refusesJob, jobBody(small, new Uint8Array(70_000)), 413, /at most 1000 bytes/, { heldBytes: 1000 }); // prettier-ignore
test(
  '(a width of 0)',
  refusesJob,
  jobBody({ ...small, width: 0 }, pixels),
  400,
  /"width" to be 1 to/,
);
test(
  '(a width of 1.5)',
  refusesJob,
  jobBody({ ...small, width: 1.5 }, pixels),
  400,
  /"width" to be 1 to/,
);
test(
  '(a width as text)',
  refusesJob,
  jobBody({ ...small, width: '2' }, pixels),
  400,
  /"width" to be 1 to/,
);
test(
  '(no width)',
  refusesJob,
  jobBody({ ...small, width: undefined }, pixels),
  400,
  /"width" .* got none/,
);
test(
  '(a scale of 1e9)',
  refusesJob,
  jobBody({ ...small, scale: 1e9 }, pixels),
  400,
  /"scale" to be 1 to 16/,
);
test('(an unknown key)', refusesJob, jobBody({ ...small, __proto__: null, toString: 1 }, pixels), 400, /expected only .* got "toString"/); // prettier-ignore
test('(another protocol)', refusesJob, jobBody({ ...small, protocol: 2 }, pixels), 400, /"protocol" to be 1, got 2/); // prettier-ignore
test(
  '(a LoRA that is no object)',
  refusesJob,
  jobBody({ ...small, loras: ['x'] }, pixels),
  400,
  /"loras"/,
);
test('(no JSON)', refusesJob, text('hello\n'), 400, /expected a line of JSON, got "hello"/);
test('(JSON but no object)', refusesJob, text('[1]\n'), 400, /expected a JSON object/);
test('(no line)', refusesJob, text('{}'), 400, /expected a line of JSON before the pixels/);
test(
  '(an endless line)',
  refusesJob,
  Buffer.alloc(200_000, 'a'),
  400,
  /a line of at most 65536 bytes/,
);
test('(nothing)', refusesJob, text(''), 400, /expected a Content-Length, got none/);

function head({ port, token }: Service, more: string): string {
  return `POST /v1/upscale HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n${more}\r\n\r\n`;
}

test('refuses a body of unknown length', async (t) => {
  const service = await start(t);
  const chunk = `${head(service, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`;
  t.regex(await open(service.port, chunk).ended, /^HTTP\/1\.1 400 [\s\S]*Content-Length, got none/);
});

test('refuses a job while as many as it keeps are waiting', async (t) => {
  const service = await start(t, { jobs: 2 }, 200);
  const two = [upscale(service, small, pixels), upscale(service, small, pixels)];
  while (service.seen() === 0) await sleep(5);
  await sleep(50);
  const third = await ask(service, 'POST', '/v1/upscale', { body: jobBody(small, pixels) });
  t.is(third.status, 503);
  t.regex(messageOf(third), /room for one more job, got 2 already/);
  await Promise.all(two);
  await isWell(t, service);
});

test('gives up on a client that is slow with its headers', async (t) => {
  const service = await start(t, { head: 300 });
  const { ended } = open(service.port, 'GET /v1/status HTTP/1.1\r\nHost: ');
  t.regex(await ended, /^(HTTP\/1\.1 408 |$)/);
  await isWell(t, service);
});

test('gives up on a client that is slow with its pixels, and gives its room back', async (t) => {
  const service = await start(t, { head: 300, request: 600, jobs: 1 });
  const { socket, ended } = open(service.port, head(service, 'Content-Length: 1000'));
  const drip = setInterval(() => socket.write('{'), 50);
  const answer = await ended;
  clearInterval(drip);
  t.regex(answer, /^HTTP\/1\.1 408 /);
  await isWell(t, service);
});

test('gives up on a client that does not take its result', async (t) => {
  const service = await start(t, { patience: 300 });
  const big = { ...small, width: 1024, height: 1024, scale: 4 }; // 50 MB, more than sockets hold
  const body = jobBody(big, new Uint8Array(3 << 20));
  const { socket, ended } = open(service.port, head(service, `Content-Length: ${body.length}`));
  socket.pause();
  socket.write(body);
  while (service.seen() === 0) await sleep(10);
  await isWell(t, service); // waits for its turn, which comes when patience has run out
  socket.resume();
  t.true((await ended).length < 50e6);
});

test('a hundred connections at once neither crash it nor keep it from serving', async (t) => {
  const service = await start(t, { connections: 16, head: 500 });
  const all = Array.from({ length: 100 }, () => open(service.port, 'GET / HTTP/1.1\r\n'));
  const begin = performance.now();
  await Promise.all(all.map(({ ended }) => ended));
  t.true(performance.now() - begin < 20_000);
  await isWell(t, service);
});

test('a hundred clients with the token are all answered: some by their result, others by a refusal', async (t) => {
  const service = await start(t, { jobs: 8 });
  const answers = await Promise.allSettled(
    Array.from({ length: 100 }, () => ask(service, 'POST', '/v1/upscale', { body: jobBody(small, pixels) })), // prettier-ignore
  );
  const statuses = new Set(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.status : 0))); // prettier-ignore
  t.true(statuses.has(200));
  for (const status of statuses) t.true([200, 503, 0].includes(status), `${status}`);
  await isWell(t, service);
});

const garbage = ['\u0000\u0001\u0002', 'GET', `GET / HTTP/1.1\r\nHost: ${'a'.repeat(20_000)}\r\n\r\n`, 'POST /v1/upscale HTTP/9.9\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000']; // prettier-ignore

test('closes connections that speak no HTTP', async (t) => {
  const service = await start(t, { head: 300 });
  for (const text of garbage)
    t.regex(await open(service.port, text).ended, /^(HTTP\/1\.1 4\d\d |$)/);
  await isWell(t, service);
});
