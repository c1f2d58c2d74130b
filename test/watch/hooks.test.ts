import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino, type Logger } from 'pino';
import { Hook } from '../../src/watch/hooks.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { ruleFor, startWatching, until, watchFolders } from '../helpers/watch.ts';

/** A server that answers with these codes, one after another, and what it was sent. */
async function receiver(
  t: ExecutionContext,
  codes: number[],
): Promise<{ address: string; got: unknown[] }> {
  const got: unknown[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      got.push(JSON.parse(text));
      response.writeHead(codes.shift() ?? 204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got };
}

function silent(lines: string[] = []): Logger {
  return pino({ base: null }, { write: (line: string) => void lines.push(line) });
}

const posix = process.platform === 'win32' ? test.skip : test;
posix('a command gets the event in its environment and as JSON, whatever the name', async (t) => {
  const folder = temporaryFolder(t);
  const out = join(folder, 'out');
  const hook = new Hook(
    `printf '%s\\n' "$OSEDIFF_FILE" > ${out}; cat >> ${out}; mv ${out} ${out}-done`,
    silent(),
    new AbortController().signal,
  );
  const file = `a'; touch ${join(folder, 'broken-in')}; $(touch x).png`;
  hook.tell({ event: 'done', file, width: 3 });
  await until(t, 'the command', () => existsSync(`${out}-done`));
  const [name, json = ''] = readFileSync(`${out}-done`, 'utf8').split('\n');
  t.is(name, file);
  t.deepEqual(JSON.parse(json), { event: 'done', file, width: 3 });
  t.false(existsSync(join(folder, 'broken-in')));
});

test('a post is tried again, and events come in their order', async (t) => {
  const { address, got } = await receiver(t, [503]);
  const hook = new Hook(address, silent(), new AbortController().signal);
  hook.tell({ event: 'done', file: 'a' });
  hook.tell({ event: 'done', file: 'b' });
  await until(t, 'three posts', () => got.length === 3);
  t.deepEqual(
    got.map((event) => (event as { file: string }).file),
    ['a', 'a', 'b'],
  );
});

posix('a command that fails is logged and stops nothing', async (t) => {
  const lines: string[] = [];
  const out = join(temporaryFolder(t), 'out');
  const hook = new Hook(
    `test "$OSEDIFF_FILE" = b && touch ${out}`,
    silent(lines),
    new AbortController().signal,
  );
  hook.tell({ event: 'failed', file: 'a' });
  hook.tell({ event: 'failed', file: 'b' });
  await until(t, 'the second', () => existsSync(out));
  t.is(lines.length, 1);
  t.regex(lines[0]!, /exit code 1/);
});

test.serial('a watcher tells of results and of failures', async (t) => {
  const { address, got } = await receiver(t, []);
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'), 8, 6);
  writeText(join(folders.in, 'bad.png'));
  startWatching(t, [ruleFor(folders)], { onDone: address, onFailed: address });
  await until(t, 'both', () => got.length === 2);
  const events = got as Record<string, unknown>[];
  const output = join(folders.out, 'a.png');
  t.like(
    events.find(({ event }) => event === 'done'),
    { file: 'a.png', output, width: 16 },
  );
  t.like(
    events.find(({ event }) => event === 'failed'),
    { file: 'bad.png', class: 'undecodable' },
  );
});
