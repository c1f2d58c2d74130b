import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { crc32 } from 'node:zlib';
import { probePicture, readPicture } from '../../src/image/codec.ts';
import { runCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawPicture } from '../helpers/picture-files.ts';
import { readFileSync, writeFileSync } from 'node:fs';

interface Line {
  readonly name?: string;
  readonly done?: boolean;
  readonly expected?: boolean;
  readonly error?: string;
  readonly time?: number;
  readonly end?: boolean;
  readonly rss?: number;
}

const child = fileURLToPath(new URL('../helpers/hostile-child.ts', import.meta.url));
/** How many files; `OSEDIFF_HOSTILE=1500 npx ava test/pipeline/hostile.test.ts` for the whole corpus. */
const count = Number(process.env['OSEDIFF_HOSTILE'] ?? 150);

test(`${count} broken pictures are upscaled or refused in one line, and none stays half-written`, async (t) => {
  t.timeout(count * 2000);
  const folder = temporaryFolder(t);
  const flags = ['--import', import.meta.resolve('tsx'), '--conditions=osediff-source'];
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...flags, child, folder, String(count), '1'],
    { maxBuffer: 2 ** 28 },
  );
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  t.true(lines.at(-1)!.end, 'the process came to its end');
  t.is(stderr, '', 'no decoder writes to the terminal');
  const results = lines.slice(0, -1);
  t.is(results.length, count);
  for (const { name, done, expected, error } of results) {
    if (done) continue;
    t.true(expected, `${name}: ${error}`);
    t.notRegex(error!, /\n/);
    t.regex(error!, /expected .*, got .*\.$/s, name);
  }
  const done = results.filter((line) => line.done).map(({ name }) => name!.replace(/bmp$/, 'png'));
  const there = done.length > 0 ? readdirSync(join(folder, 'out')) : [];
  t.deepEqual(there.sort(), done.sort());
  for (const name of there) await t.notThrowsAsync(readPicture(join(folder, 'out', name)), name);
  const slowest = Math.max(...results.map(({ time }) => time!));
  t.true(slowest < 20_000, `${slowest} ms`);
  t.log(
    `${done.length} upscaled, ${count - done.length} refused, slowest ${slowest} ms, ${Math.round(lines.at(-1)!.rss!)} MB`,
  );
});

test('a decompression bomb is refused by its header, and --limit-pixels lifts the limit', async (t) => {
  const cwd = temporaryFolder(t);
  const bomb = Buffer.from(readFileSync(await drawPicture(join(cwd, 'bomb.png'))));
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(50_000, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  writeFileSync(join(cwd, 'bomb.png'), bomb);
  const refused = await runCli(['upscale', 'bomb.png', '--dry-run'], { cwd });
  t.is(refused.code, 1);
  t.regex(refused.stderr, /at most 268402689 pixels, got 60000x50000\. Lift .* --limit-pixels/);
  const lifted = await runCli(['upscale', 'bomb.png', '--dry-run', '--limit-pixels', 'none'], {
    cwd,
  });
  t.is(lifted.code, 0, lifted.stderr);
  t.regex(lifted.stdout, /60000x50000 to 240000x200000/);
  t.is((await probePicture(join(cwd, 'bomb.png'), { limitPixels: Infinity })).height, 50_000);
});
