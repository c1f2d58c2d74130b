import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { chromium } from 'playwright-core';
import { PathError } from '../../src/tensor/errors.ts';
import type { Status } from '../../src/watch/status.ts';
import { drawPicture, writeText } from '../helpers/picture-files.ts';
import { widths } from '../helpers/stand-in.ts';
import {
  filesBelow,
  ruleFor,
  startWatching,
  until,
  untilResults,
  watchFolders,
  type Running,
} from '../helpers/watch.ts';

const http = { host: '127.0.0.1', port: 0 };

/** Where a watcher serves, once it does. */
async function addressOf(t: ExecutionContext, { log }: Running): Promise<string> {
  const line = (): Record<string, unknown> | undefined => log.find(({ msg }) => msg === 'serving');
  await until(t, 'an address', () => line() !== undefined);
  return String(line()!['address']);
}

async function status(address: string): Promise<Status> {
  return (await (await fetch(`${address}api/status`)).json()) as Status;
}

test.serial('health, readiness, metrics and status tell how it goes', async (t) => {
  const folders = watchFolders(t);
  const running = startWatching(t, [ruleFor(folders)], { http });
  const address = await addressOf(t, running);
  await until(t, 'ready', async () => (await fetch(`${address}readyz`)).status === 200);
  t.is((await fetch(`${address}healthz`)).status, 200);
  await drawPicture(join(folders.in, 'a.png'), 100, 50);
  writeText(join(folders.in, 'bad.png'));
  await untilResults(t, folders.out, ['a.png']);
  await until(t, 'a failure', async () => (await status(address)).failures.length === 1);
  const { folders: seen, recent, failures, done, failed, lastHour } = await status(address);
  t.deepEqual([done, failed, lastHour.pictures], [1, 1, 1]);
  t.like(seen[0], { in: folders.in, queued: 0, settling: 0, active: [] });
  t.like(recent[0], { file: 'a.png', width: 200, height: 100 });
  t.regex(failures[0]!.reason, /got text/);
  for (const which of ['before', 'after']) {
    const preview = await fetch(`${address}preview/${recent[0]!.id}/${which}`);
    t.is(preview.headers.get('content-type'), 'image/webp');
    t.true((await preview.arrayBuffer()).byteLength > 50);
  }
  const metrics = await (await fetch(`${address}metrics`)).text();
  t.regex(metrics, /^osediff_pictures_total 1$/m);
  t.regex(metrics, /^osediff_given_up_total\{class="undecodable"\} 1$/m);
  t.regex(metrics, /^osediff_queue_depth\{folder=".*"\} 0$/m);
  t.regex(metrics, /^osediff_last_success_age_seconds [\d.]+$/m);
  t.regex(metrics, /^osediff_seconds_per_megapixel_count 1$/m);
});

test.serial('a watcher that cannot work is alive but not ready, and says why', async (t) => {
  const folders = watchFolders(t);
  await drawPicture(join(folders.in, 'a.png'));
  const model = join(folders.root, 'broken');
  writeText(join(model, 'osediff.json'), '{}');
  const running = startWatching(t, [ruleFor(folders, { model: { model } })], { http });
  const address = await addressOf(t, running);
  await until(t, 'a pause', async () => (await status(address)).folders[0]?.paused !== undefined);
  const ready = await fetch(`${address}readyz`);
  t.is(ready.status, 503);
  t.regex(await ready.text(), /expected weights/);
  t.is((await fetch(`${address}healthz`)).status, 200);
});

test.serial(
  'only its own page may have something retried, and only this machine may ask',
  async (t) => {
    const folders = watchFolders(t);
    writeText(join(folders.in, 'bad.png'));
    const running = startWatching(t, [ruleFor(folders)], { http });
    const address = await addressOf(t, running);
    await until(t, 'a failure', async () => (await status(address)).failures.length === 1);
    const { id } = (await status(address)).failures[0]!;
    const body = JSON.stringify({ folder: 0, id });
    const post = (headers: Record<string, string>, text = body): Promise<number> =>
      fetch(`${address}api/retry`, { method: 'POST', headers, body: text }).then((r) => r.status);
    const json = { 'content-type': 'application/json' };
    t.is(await post({ 'content-type': 'text/plain' }), 403);
    t.is(await post({ ...json, origin: 'http://elsewhere.example' }), 403);
    t.is(await post(json, '{'), 400);
    t.is(await post(json, JSON.stringify({ folder: 7, id })), 400);
    t.is(await post(json, JSON.stringify({ folder: 0, id: '../../id' })), 404);
    t.is(await post(json, 'x'.repeat(10_000)), 413);
    t.is(await hostHeader(address, 'elsewhere.example'), 403);
    t.is(await hostHeader(address, 'localhost:1'), 200);
    t.is((await fetch(`${address}preview/1/../../etc/passwd`)).status, 404);
    t.deepEqual(filesBelow(folders.failed), ['bad.png', 'bad.png.txt']);
    t.is(await post(json), 200);
  },
);

/** The status with which an address answers a request for another host. */
function hostHeader(address: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${address}healthz`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

test.serial('a port that is taken ends it at the start', async (t) => {
  const folders = watchFolders(t);
  const address = await addressOf(t, startWatching(t, [ruleFor(folders)], { http }));
  const port = Number(new URL(address).port);
  const other = watchFolders(t);
  const second = startWatching(t, [ruleFor(other)], { http: { ...http, port } });
  await t.throwsAsync(second.ended, { instanceOf: PathError, message: /free address/ });
});

const browser = '/usr/bin/chromium';
const inBrowser = existsSync(browser) ? test.serial : test.skip;
inBrowser(
  'in a browser a failed file is retried and seen to succeed (where Chromium is)',
  async (t) => {
    t.timeout(120_000);
    const folders = watchFolders(t);
    const flag = join(folders.root, 'flag');
    process.env['STAND_IN_FLAG'] = flag; // the worker inherits it
    t.teardown(() => delete process.env['STAND_IN_FLAG']);
    const hostile = `<img src=x onerror="document.title='broken in'">.png`;
    await drawPicture(join(folders.in, 'tree.png'), 160, 120);
    await drawPicture(join(folders.in, hostile), widths.refusedUntilFlag, 20);
    writeText(join(folders.in, 'notes.txt'));
    const running = startWatching(t, [ruleFor(folders)], { http, tries: 1 });
    const address = await addressOf(t, running);
    await until(t, 'two failures', async () => (await status(address)).failures.length === 2);

    const chromiumFlags =
      '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
    const started = await chromium.launch({
      executablePath: browser,
      args: chromiumFlags.split(' '),
    });
    t.teardown(() => started.close());
    const page = await started.newPage({ viewport: { width: 1100, height: 900 } });
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(address);
    const failures = page.locator('#failures li');
    await until(t, 'two on the page', async () => (await failures.count()) === 2);
    t.is(await page.title(), 'osediff watch');
    t.is(await page.textContent('#state'), 'Running');
    await shoot('failed');

    writeText(flag);
    await page.getByRole('button', { name: `Retry ${hostile}` }).click();
    await until(t, 'one on the page', async () => (await failures.count()) === 1);
    const picture = page.locator('.picture', { hasText: hostile });
    await picture.waitFor();
    t.is(await page.textContent('#done'), '2');
    const previews = page.locator('.pair img');
    await until(t, 'four previews', async () => {
      const seen = await previews.evaluateAll((images) =>
        images.map((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
      );
      return seen.length === 4 && seen.every((width) => width > 0);
    });
    await shoot('retried');
    t.is(await page.title(), 'osediff watch', 'a file name is text and nothing else');
    t.deepEqual(complaints, []);
    t.true(filesBelow(folders.out).includes(hostile));

    async function shoot(name: string): Promise<void> {
      const folder = process.env['OSEDIFF_SCREENSHOTS'];
      if (folder)
        await page.screenshot({ path: join(folder, `watch-${name}.png`), fullPage: true });
    }
  },
);
