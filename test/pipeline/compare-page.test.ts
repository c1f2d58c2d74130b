import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { writeCompareCrop, writeComparePage } from '../../src/pipeline/compare-page.ts';
import { FormatError, PathError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';

/** A plain picture in a file. */
async function plain(
  file: string,
  width: number,
  height: number,
  background: string,
): Promise<string> {
  await sharp({ create: { width, height, channels: 3, background } }).toFile(file);
  return file;
}

/** The tile of a page. */
async function tile(page: string, id: string): Promise<{ width: number; height: number }> {
  const text = new RegExp(`id="${id}">([^<]+)<`).exec(page)![1]!;
  const { width, height } = await sharp(Buffer.from(text, 'base64')).metadata();
  return { width, height };
}

test('the page holds both pictures at every halved size, and nothing from elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  const before = await plain(join(folder, 'a<b.png'), 300, 200, 'red');
  const after = await plain(join(folder, 'b.png'), 1200, 800, 'blue');
  const file = join(folder, 'page.html');
  await writeComparePage(file, { before, after, note: '4x & more' });
  const page = readFileSync(file, 'utf8');
  t.notRegex(page, /https?:|src=|href=/);
  t.true(page.includes('a&lt;b.png, 300x200') && page.includes('4x &amp; more'));
  const ids = [...page.matchAll(/id="([01]-\d+-\d+_\d+)"/g)].map(([, id]) => id!);
  t.is(ids.length, 1 + 6 + 2 + 1); // 300x200; 1200x800 in 3x2 tiles, 600x400 in two, 300x200
  t.deepEqual(await tile(page, '1-2-0_0'), { width: 512, height: 512 });
  t.deepEqual(await tile(page, '1-2-2_1'), { width: 176, height: 288 });
  t.deepEqual(await tile(page, '0-0-0_0'), { width: 300, height: 200 });
  await t.throwsAsync(writeComparePage(file, { before, after }), { instanceOf: PathError });
});

test('a picture that is none is told of, and leaves nothing', async (t) => {
  const folder = temporaryFolder(t);
  const after = await plain(join(folder, 'b.png'), 10, 10, 'blue');
  writeFileSync(join(folder, 'a.png'), 'no picture');
  const page = { before: join(folder, 'a.png'), after };
  await t.throwsAsync(writeComparePage(join(folder, 'p.html'), page), { instanceOf: FormatError });
  t.deepEqual(readdirSync(folder).sort(), ['a.png', 'b.png']);
});

test('the crop shows both from where it is liveliest', async (t) => {
  const folder = temporaryFolder(t);
  const data = Buffer.alloc(400 * 400, 90);
  for (let y = 300; y < 380; y++)
    for (let x = 10; x < 90; x++) data[y * 400 + x] = (x ^ y) & 4 ? 255 : 0;
  const before = join(folder, 'a.png');
  await sharp(data, { raw: { width: 400, height: 400, channels: 1 } }).toFile(before);
  const after = join(folder, 'b.png');
  await sharp(before).resize(1600, 1600, { kernel: 'nearest' }).toFile(after);
  await writeCompareCrop(join(folder, 'c.png'), { before, after });
  const { data: crop, info } = await sharp(join(folder, 'c.png'))
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  t.deepEqual([info.width, info.height], [644, 320]);
  for (const half of [0, 324]) {
    const values = new Set<number>();
    for (let y = 0; y < 320; y++)
      for (let x = 0; x < 320; x++) values.add(crop[(y * 644 + half + x) * info.channels]!);
    t.true(values.has(0) && values.has(255), `half at ${half}`);
  }
});

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (file) => existsSync(file),
);

/** The page's picture after a script ran in it. */
async function screenshot(t: ExecutionContext, page: string, script: string): Promise<Buffer> {
  const home = mkdtempSync(join(tmpdir(), 'osediff-chromium-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const file = join(home, 'page.html');
  writeFileSync(
    file,
    page.replace('</body>', () => `<script>setTimeout(() => {${script}}, 300)</script></body>`),
  );
  const shot = join(home, 'shot.png');
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--hide-scrollbars',
    '--window-size=800,600',
  ];
  const more = [
    `--user-data-dir=${home}/profile`,
    '--virtual-time-budget=5000',
    `--screenshot=${shot}`,
  ];
  execFileSync(chromium!, [...flags, ...more, `file://${file}`], {
    stdio: 'ignore',
    timeout: 90_000,
  });
  return sharp(shot).removeAlpha().raw().toBuffer();
}

const inBrowser = chromium ? test.serial : test.skip;
inBrowser(
  'in a browser the slider uncovers one picture or the other (where Chromium is installed)',
  async (t) => {
    const folder = temporaryFolder(t);
    const before = await plain(join(folder, 'a.png'), 400, 300, '#ff0000');
    const after = await plain(join(folder, 'b.png'), 1600, 1200, '#0000ff');
    await writeComparePage(join(folder, 'p.html'), { before, after });
    const page = readFileSync(join(folder, 'p.html'), 'utf8');
    const moves: [string, number][] = [
      ['', 0.5],
      [
        "const s = document.querySelector('#split'); s.value = 200; s.dispatchEvent(new Event('input'));",
        0.2,
      ],
      [
        `const c = document.querySelector('canvas'); c.setPointerCapture = () => {};
       const send = (type, x) => c.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: 200, pointerId: 1 }));
       send('pointerdown', 400); send('pointermove', 640); send('pointerup', 640);`,
        0.8,
      ],
    ];
    for (const [script, split] of moves) {
      const pixels = await screenshot(t, page, script);
      const at = (share: number): string => {
        const i = (250 * 800 + Math.round(800 * share)) * 3;
        return [...pixels.subarray(i, i + 3)].map((v) => (v > 200 ? 1 : 0)).join('');
      };
      t.is(at(split - 0.05), '100', `left of ${split}`);
      t.is(at(split + 0.05), '001', `right of ${split}`);
    }
  },
);
