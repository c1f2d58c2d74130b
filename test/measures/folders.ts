/** @file Folders of pictures for tests, removed when the test ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import sharp from 'sharp';
import type { Rgb } from '../../src/measures/rgb.ts';

/** A new folder of the given files: pictures, or texts. */
export async function folderOf(
  t: ExecutionContext,
  files: Readonly<Record<string, Rgb | string>>,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'osediff-measures-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    if (typeof content === 'string') writeFileSync(file, content);
    else {
      const { width, height, data } = content;
      await sharp(data, { raw: { width, height, channels: 3 } }).toFile(file);
    }
  }
  return folder;
}
