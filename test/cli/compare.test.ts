import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { mainFile, runCli, startCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture } from '../helpers/picture-files.ts';
import { ffmpeg, hasFfmpeg } from '../plugins/ffmpeg-filter/clips.ts';

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (file) => existsSync(file),
);

test('two pictures become a page that needs nothing else, with their PSNR and SSIM', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'a.png'), 24, 20);
  await drawPicture(join(cwd, 'b <&>.png'), 24, 20);
  const { code, stdout, stderr } = await runCli(['compare', 'a.png', 'b <&>.png'], {
    cwd,
    file: mainFile,
  });
  t.deepEqual([code, stdout, stderr], [0, 'compare.html\n', 'PSNR 80.00 dB, SSIM 1.0000\n']);
  const page = readFileSync(join(cwd, 'compare.html'), 'utf8');
  t.is(page.match(/<script type="text\/plain" id=/g)!.length, 2, 'a tile of each');
  t.false(/https?:/.test(page), 'nothing is loaded from elsewhere');
  t.false(page.includes('b <&>'), 'names are escaped');
});

/** A page in a headless browser, closed with the test. */
async function openPage(t: ExecutionContext, address: string): Promise<Page> {
  const { chromium: browserType } = await import('playwright-core');
  const browser = await browserType.launch({ executablePath: chromium!, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } });
  await page.goto(address);
  await page.waitForSelector('html[data-ready]', { state: 'attached', timeout: 120_000 });
  return page;
}

const inBrowser = (
  title: string,
  able: boolean,
  body: (t: ExecutionContext) => Promise<void>,
): void =>
  able ? test.serial(title, body) : test.skip(`${title} (needs a browser and ffmpeg)`, body);

test('sizes may differ, and a crop is written on request', async (t) => {
  const cwd = temporaryFolder(t);
  await drawPicture(join(cwd, 'a.png'), 24, 20);
  await drawPicture(join(cwd, 'b.png'), 48, 40);
  const args = ['compare', 'a.png', 'b.png', '-o', 'p.html', '--crop', 'c.png'];
  const { code, stdout, stderr } = await runCli(args, { cwd, file: mainFile });
  t.deepEqual([code, stdout], [0, 'p.html\nc.png\n']);
  t.regex(stderr, /^PSNR \d+\.\d\d dB, SSIM 0\.\d{4}, the first resized to 48x40\n$/);
  t.true(existsSync(join(cwd, 'c.png')));
});

inBrowser(
  'an FFV1 and an H.264 film are shown in step',
  chromium !== undefined && hasFfmpeg,
  async (t) => {
    const cwd = temporaryFolder(t);
    ffmpeg(cwd, '-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v ffv1 a.mkv');
    ffmpeg(cwd, '-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -pix_fmt yuv420p b.mp4');
    const { process: child, ended } = startCli(['compare', 'a.mkv', 'b.mp4'], {
      cwd,
      file: mainFile,
    });
    const address = await new Promise<string>((resolve) => {
      child.stdout!.on('data', (text: string) => resolve(text.trim()));
    });
    const page = await openPage(t, address);
    t.is(await page.$eval('#before', (video) => video.dataset['converted']), 'true');
    for (let i = 0; i < 5; i++) await page.keyboard.press('.');
    await page.waitForFunction(
      "!document.getElementById('before').seeking && !document.getElementById('after').seeking",
    );
    const times = await page.$$eval('video', (videos) =>
      (videos as unknown as { currentTime: number }[]).map(({ currentTime }) => currentTime),
    );
    t.deepEqual(
      times.map((time) => Math.floor(time * 25)),
      [5, 5],
    );
    const shot = process.env['COMPARE_SCREENSHOT'];
    if (shot) await page.screenshot({ path: shot });
    const status = (path: string, host?: string): Promise<number> =>
      new Promise((resolve) => {
        get(new URL(path, address), host ? { headers: { host } } : {}, (response) => {
          response.resume();
          resolve(response.statusCode!);
        });
      });
    t.is(await status('/package.json'), 404);
    t.is(await status('/before/../../etc/passwd'), 404);
    t.is(await status('/before', 'evil.example'), 403);
    child.kill('SIGINT');
    t.is((await ended).code, 0);
  },
);
