/** @file Which pictures are held against which, and what is refused before the work begins. */
import { join } from 'node:path';
import test from 'ava';
import { pairFolders, readRgb, requireSizes } from '../../src/measures/pairs.ts';
import { toRgb } from '../../src/measures/rgb.ts';
import { FormatError, PathError, ShapeError } from '../../src/tensor/errors.ts';
import { folderOf } from './folders.ts';
import { flat, texture } from './pattern.ts';

const small = flat(4, 4, 9);

test('pictures pair by stem, in the order of their names', async (t) => {
  const sr = await folderOf(t, {
    'b.png': small,
    'a.webp': small,
    'notes.txt': 'no picture',
    '.hidden.png': 'a preview',
    'below/c.png': small,
  });
  const hr = await folderOf(t, { 'a.png': small, 'b.jpg': small });
  t.deepEqual(await pairFolders(sr, hr), [
    { name: 'a', result: join(sr, 'a.webp'), reference: join(hr, 'a.png') },
    { name: 'b', result: join(sr, 'b.png'), reference: join(hr, 'b.jpg') },
  ]);
  t.deepEqual(await pairFolders(hr), [
    { name: 'a', result: join(hr, 'a.png') },
    { name: 'b', result: join(hr, 'b.jpg') },
  ]);
});

test('names of one folder only are named', async (t) => {
  const sr = await folderOf(t, { 'a.png': small, 'b.png': small });
  const hr = await folderOf(t, { 'a.png': small, 'c.png': small, 'd.png': small });
  await t.throwsAsync(() => pairFolders(sr, hr), {
    instanceOf: PathError,
    message: `${sr}: expected the names of the 3 pictures in ${hr}, got 2 pictures: no "b" in ${hr}, no "c", "d" in ${sr}.`,
  });
});

test('an empty folder, none at all, and two pictures of one stem are refused', async (t) => {
  const empty = await folderOf(t, { 'notes.txt': 'no picture' });
  const twice = await folderOf(t, { 'a.png': small, 'a.jpg': small });
  const refused = (folder: string, message: RegExp): Promise<unknown> =>
    t.throwsAsync(() => pairFolders(folder), { instanceOf: PathError, message });
  await refused(empty, /expected pictures .*got none/);
  await refused(join(empty, 'nowhere'), /nowhere: .*ENOENT/);
  await refused(twice, /expected one picture a name, got "a\.png" beside .*a\.jpg/);
});

test('sizes are compared by headers, with the scale between them', async (t) => {
  const sr = await folderOf(t, { 'a.png': small, 'b.png': flat(5, 4, 1) });
  const hr = await folderOf(t, { 'a.png': flat(8, 8, 1), 'b.png': flat(10, 8, 1) });
  const pairs = await pairFolders(sr, hr);
  await t.notThrowsAsync(() => requireSizes(pairs, 2));
  await t.throwsAsync(() => requireSizes(pairs), {
    instanceOf: ShapeError,
    message: /^a: expected a reference of 4x4 pixels, got 8x8/,
  });
  await t.throwsAsync(() => requireSizes(pairs, 3), { message: /12x12 pixels \(3 times 4x4\)/ });
  const text = await folderOf(t, { 'a.png': 'hello' });
  await t.throwsAsync(async () => requireSizes(await pairFolders(text)), {
    instanceOf: FormatError,
  });
});

test('a PNG file is read byte for byte', async (t) => {
  const picture = texture(30, 20, 1, 50);
  const folder = await folderOf(t, { 'a.png': picture });
  t.deepEqual(await readRgb(join(folder, 'a.png')), picture);
});

test('grey is spread, alpha dropped, deeper samples rounded to bytes', (t) => {
  const at = (channels: 1 | 2 | 3 | 4, data: Uint8Array | Uint16Array | Float32Array): number[] => [
    ...toRgb({ width: 1, height: 1, channels, data }).data,
  ];
  t.deepEqual(at(1, Uint8Array.of(7)), [7, 7, 7]);
  t.deepEqual(at(2, Uint8Array.of(7, 90)), [7, 7, 7]);
  t.deepEqual(at(4, Uint8Array.of(1, 2, 3, 90)), [1, 2, 3]);
  t.deepEqual(at(3, Uint16Array.of(0, 65535, 257 * 100 + 129)), [0, 255, 101]);
  t.deepEqual(at(3, Float32Array.of(-0.5, 1.5, 0.5)), [0, 255, 128]);
});
