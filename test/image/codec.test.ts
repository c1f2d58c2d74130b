import { execFile } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import {
  encodePicture,
  probePicture,
  readPicture,
  readPipeline,
  writePicture,
} from '../../src/image/codec.ts';
import { checkFormat, formatOf } from '../../src/image/formats.ts';
import { isSrgb, profileName } from '../../src/image/icc.ts';
import { type Channels, makePicture, type Picture } from '../../src/image/picture.ts';
import { FormatError, PathError, UsageError } from '../../src/tensor/errors.ts';
import { difference, imageFixture } from '../helpers/difference.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { random } from '../helpers/random.ts';

/** The fixtures' 16-bit sample: see their README. */
function v(x: number, y: number, c: number): number {
  return (7919 * x + 24251 * y + 31337 * c) % 65536;
}

/** The samples of a 9x7 fixture that has these channels of `v`. */
function samples(planes: readonly number[], wide: boolean): number[] {
  const out = [];
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 9; x++) {
      for (const c of planes) out.push(wide ? v(x, y, c) : v(x, y, c) >> 8);
    }
  }
  return out;
}

const decodes = test.macro({
  title: (_, file: string) => `reads ${file} sample for sample`,
  async exec(t: ExecutionContext, file: string, planes: readonly number[], wide: boolean = false) {
    const picture = await readPicture(imageFixture(file));
    t.deepEqual([picture.width, picture.height, picture.channels], [9, 7, planes.length]);
    t.is(picture.data.constructor, wide ? Uint16Array : Uint8Array);
    t.deepEqual([...picture.data], samples(planes, wide));
    const { width, height, channels, depth } = await probePicture(imageFixture(file));
    t.deepEqual([width, height, channels], [9, 7, planes.length]);
    t.is(depth, wide ? 'uint16' : 'uint8');
  },
});
test(decodes, 'rgb8.png', [0, 1, 2]);
test(decodes, 'rgb8.webp', [0, 1, 2]);
test(decodes, 'rgb8.tif', [0, 1, 2]);
test(decodes, 'rgba8.png', [0, 1, 2, 3]);
test(decodes, 'grey8.png', [0]);
test(decodes, 'grey-alpha8.png', [0, 1]);
test(decodes, 'palette.png', [0, 1, 2]);
test(decodes, 'rgb16.png', [0, 1, 2], true);
test(decodes, 'rgb16.tif', [0, 1, 2], true);
test(decodes, 'rgba16.png', [0, 1, 2, 3], true);
test(decodes, 'grey16.png', [0], true);

test('the EXIF orientation is applied, in the header too', async (t) => {
  const file = imageFixture('orientation6.png');
  const { width, height, data } = await readPicture(file);
  t.deepEqual([width, height], [7, 9]);
  const info = await probePicture(file);
  t.deepEqual([info.width, info.height], [7, 9]);
  // Orientation 6: the stored first column, from the bottom up, is the first row.
  t.deepEqual([...data.subarray(0, 3)], [v(0, 6, 0) >> 8, v(0, 6, 1) >> 8, v(0, 6, 2) >> 8]);
  t.deepEqual([...data.subarray(21, 24)], [v(1, 6, 0) >> 8, v(1, 6, 1) >> 8, v(1, 6, 2) >> 8]);
});

test('CMYK becomes RGB: no ink is white, full black dark', async (t) => {
  const { channels, data } = await readPicture(imageFixture('cmyk.jpg'));
  t.is(channels, 3);
  t.true(data[0]! > 250 && data[1]! > 250 && data[2]! > 250);
  t.true(data[15 * 3]! < 60 && data[15 * 3 + 1]! < 60);
});

test('a float TIFF is linear light: it comes back sRGB-encoded and clipped', async (t) => {
  const file = imageFixture('float.tif');
  const { data } = await readPicture(file);
  t.true(data instanceof Float32Array);
  t.true(difference(data, [0.015504, 0.735357, 1, 0.484529, 0, 1]).largest < 1e-5);
  t.is((await probePicture(file)).depth, 'float32');
});

/** Display P3 as linear sRGB (both with the sRGB curve and D65), from the primaries of SMPTE EG 432-1. */
const p3ToSrgb = [
  [1.2249401, -0.2249404, 0],
  [-0.0420569, 1.0420571, 0],
  [-0.0196376, -0.0786361, 1.0982735],
];

function throughP3([r, g, b]: readonly [number, number, number]): number[] {
  const linear = [r, g, b].map((u) => (u <= 0.04045 ? u / 12.92 : ((u + 0.055) / 1.055) ** 2.4));
  return p3ToSrgb.map((row) => {
    const u = row.reduce((sum, w, i) => sum + w * linear[i]!, 0);
    const inside = Math.min(Math.max(u, 0), 1);
    return inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055;
  });
}

/** A file whose stored samples are `unit` in Display P3: sharp converts to P3 what is said to be sRGB. */
async function inDisplayP3(
  unit: readonly [number, number, number],
  wide: boolean,
): Promise<Buffer> {
  const profile = await sharp({
    create: { width: 1, height: 1, channels: 3, background: 'black' },
  })
    .withIccProfile('p3')
    .png()
    .toBuffer();
  const { icc } = await sharp(profile).metadata();
  const scale = wide ? 65535 : 255;
  const stored = unit.map((u) => Math.round(u * scale));
  const data = wide ? Uint16Array.from(stored) : Uint8Array.from(stored);
  const pixels = sharp(data, { raw: { width: 1, height: 1, channels: 3 } });
  const plain = await pixels
    .toColourspace(wide ? 'rgb16' : 'srgb')
    .png()
    .toBuffer();
  return withProfile(plain, icc!);
}

/** A PNG with an iCCP chunk put in after its header. */
function withProfile(png: Buffer, icc: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from('iCCPp\0\0', 'latin1'), deflateSync(icc)]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length - 4, 0);
  frame.writeUInt32BE(crc32(body), 4);
  const afterHeader = 8 + 25;
  return Buffer.concat([
    png.subarray(0, afterHeader),
    frame.subarray(0, 4),
    body,
    frame.subarray(4),
    png.subarray(afterHeader),
  ]);
}

for (const wide of [false, true]) {
  test(`a Display P3 picture of ${wide ? 16 : 8} bits is converted to sRGB`, async (t) => {
    for (const unit of [
      [0.5, 0.4, 0.3],
      [0.2, 0.6, 0.5],
      [0.9, 0.85, 0.8],
    ] as const) {
      const { data } = await readPicture(await inDisplayP3(unit, wide));
      const scale = wide ? 65535 : 255;
      const got = [...data].map((s) => s / scale);
      t.true(difference(got, throughP3(unit)).largest < (wide ? 0.003 : 0.006), got.join());
      t.true(difference(got, unit).largest > 0.005);
    }
  });
}

test('a profile that says sRGB changes nothing', async (t) => {
  const tagged = await sharp(imageFixture('rgb8.png')).withIccProfile('srgb').png().toBuffer();
  const { icc } = await sharp(tagged).metadata();
  t.true(isSrgb(icc!));
  const pixels = await readFile(imageFixture('rgb16.png'));
  t.deepEqual((await readPicture(withProfile(pixels, icc!))).data, await data16());
});

async function data16(): Promise<Uint16Array> {
  return (await readPicture(imageFixture('rgb16.png'))).data as Uint16Array;
}

test('a profile is known by its description, of ICC version 2 or 4, and broken ones by none', (t) => {
  const profile = (tag: Buffer): Buffer => {
    const head = Buffer.alloc(144);
    head.writeUInt32BE(1, 128);
    head.write('desc', 132, 'latin1');
    head.writeUInt32BE(144, 136);
    head.writeUInt32BE(tag.length, 140);
    return Buffer.concat([head, tag]);
  };
  const text = 'sRGB IEC61966-2.1\0';
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  const v2 = Buffer.concat([Buffer.from('desc\0\0\0\0', 'latin1'), length, Buffer.from(text)]);
  t.is(profileName(profile(v2)), 'sRGB IEC61966-2.1');
  t.true(isSrgb(profile(v2)));
  const wide = Buffer.from('Display P3', 'utf16le').swap16();
  const v4 = Buffer.concat([Buffer.alloc(28), wide]);
  v4.write('mluc', 0, 'latin1');
  v4.writeUInt32BE(wide.length, 20);
  v4.writeUInt32BE(28, 24);
  t.is(profileName(profile(v4)), 'Display P3');
  t.false(isSrgb(profile(v4)));
  for (const broken of [Buffer.alloc(3), Buffer.alloc(200), profile(v2).subarray(0, 139)]) {
    t.is(profileName(broken), undefined);
  }
});

const roundTrip = test.macro({
  title: (_, extension: string, channels: Channels, wide: boolean) =>
    `${extension} keeps ${channels} channels of ${wide ? 16 : 8} bits exactly`,
  async exec(t: ExecutionContext, extension: string, channels: Channels, wide: boolean) {
    const next = random(channels);
    const data = new (wide ? Uint16Array : Uint8Array)(13 * 11 * channels).map(
      () => next() * (wide ? 65536 : 256),
    );
    const file = path.join(temporaryFolder(t), `x${extension}`);
    await writePicture(makePicture(13, 11, channels, data), file, { lossless: true });
    const back = await readPicture(file);
    // WebP has no grey: it comes back as three equal channels.
    const grey = channels < 3 && extension === '.webp';
    const kept = grey ? back.data.filter((_, i) => [0, 3].includes(i % (channels + 2))) : back.data;
    t.deepEqual([...kept], [...data]);
    t.is(back.channels as number, grey ? channels + 2 : channels);
  },
});
for (const channels of [1, 2, 3, 4] as const) {
  for (const extension of ['.png', '.tif', '.webp']) test(roundTrip, extension, channels, false);
  for (const extension of ['.png', '.TIFF']) test(roundTrip, extension, channels, true);
}

/** A smooth RGBA picture. */
function smooth(Type: typeof Uint8Array | typeof Uint16Array | typeof Float32Array): Picture {
  const scale = Type === Uint8Array ? 255 : Type === Uint16Array ? 65535 : 1;
  const data = new Type(32 * 32 * 4);
  for (let i = 0; i < 1024; i++) {
    const [x, y] = [(i % 32) / 31, Math.floor(i / 32) / 31];
    data.set([x * scale, y * scale, (scale * (x + y)) / 2, scale], i * 4);
  }
  return makePicture(32, 32, 4, data);
}

for (const format of ['jpeg', 'webp'] as const) {
  for (const Type of [Uint16Array, Float32Array]) {
    test(`${format} takes ${Type.name} as bytes and stays close`, async (t) => {
      const file = await encodePicture(smooth(Type), format);
      const back = await readPicture(file);
      const expected = smooth(Uint8Array).data.filter((_, i) => i % 4 < 3);
      t.is(back.channels, 3);
      t.true(difference([...back.data], [...expected]).largest <= 8);
    });
  }
}

test('PNG and TIFF take floats as 16 bits', async (t) => {
  for (const format of ['png', 'tiff'] as const) {
    const back = await readPicture(await encodePicture(smooth(Float32Array), format));
    const expected = smooth(Float32Array).data;
    t.true(
      difference(
        Float64Array.from(back.data, (s) => s / 65535),
        expected,
      ).largest < 1e-5,
    );
  }
});

test('JPEG lays transparent pixels over white', async (t) => {
  const clear = makePicture(8, 8, 4, new Uint8Array(256));
  const { channels, data } = await readPicture(await encodePicture(clear, 'jpeg'));
  t.is(channels, 3);
  t.true(data.every((s) => s > 250));
});

test('a higher quality makes a larger file, and one out of range is refused', async (t) => {
  const noise = makePicture(
    32,
    32,
    3,
    Uint8Array.from({ length: 3072 }, (_, i) => (i * 7919) % 251),
  );
  const sizes = await Promise.all(
    [40, 95].map(async (quality) => (await encodePicture(noise, 'jpeg', { quality })).length),
  );
  t.true(sizes[0]! < sizes[1]!);
  await t.throwsAsync(encodePicture(noise, 'jpeg', { quality: 101 }), { instanceOf: UsageError });
});

test('a sharp pipeline gives its result, 16 bits where the input has them', async (t) => {
  const narrow = await readPipeline(sharp(imageFixture('rgb8.png')).flop());
  t.is(narrow.data[0], v(8, 0, 0) >> 8);
  const wide = await readPipeline(
    sharp(imageFixture('rgb16.png')).extract({ left: 2, top: 1, width: 3, height: 2 }),
  );
  t.deepEqual([wide.width, wide.height, wide.data[1]], [3, 2, v(2, 1, 1)]);
  await t.throwsAsync(readPipeline(sharp('/nowhere.png')), { instanceOf: FormatError });
});

test('a file that is written again is read anew', async (t) => {
  const file = path.join(temporaryFolder(t), 'x.png');
  for (const value of [10, 200]) {
    const grey = makePicture(4, 4, 1, new Uint8Array(16).fill(value));
    await writePicture(grey, file, { overwrite: true });
    t.is((await readPicture(file)).data[0], value);
  }
});

const refuses = test.macro({
  title: (_, what: string) => `${what} is refused in one line with a remedy`,
  async exec(
    t: ExecutionContext,
    _what: string,
    make: (t: ExecutionContext) => Promise<string>,
    message: RegExp,
  ) {
    const file = await make(t);
    for (const source of [file, await readFile(file)]) {
      const error = await t.throwsAsync(readPicture(source), { instanceOf: FormatError, message });
      t.notRegex(error.message, /\n/);
      t.regex(error.message, /expected .*, got .*\. [A-Z].*\.$/);
      t.true(error.message.startsWith(typeof source === 'string' ? file : 'picture'));
    }
  },
});

/** A file of this content in a folder of its own. */
function holding(name: string, content: Uint8Array | string) {
  return async (t: ExecutionContext): Promise<string> => {
    const file = path.join(temporaryFolder(t), name);
    await writeFile(file, content);
    return file;
  };
}

/** The first `share` of a fixture. */
function cut(name: string, share: number) {
  return async (t: ExecutionContext): Promise<string> => {
    const whole = await readFile(imageFixture(name));
    return holding(name, whole.subarray(0, whole.length * share))(t);
  };
}

test(refuses, 'a text file named .png', holding('x.png', 'no picture\n'), /got text/);
test(refuses, 'an empty file', holding('x.png', ''), /got an empty file/);
test(
  refuses,
  'another kind of file',
  holding('x.png', 'BM\0\0\x01\x02\x03'),
  /another kind of file/,
);
test(refuses, 'a truncated JPEG', cut('rgb8.jpg', 0.9), /a whole JPEG, got a truncated/);
test(refuses, 'a truncated PNG', cut('rgb16.png', 0.8), /a whole PNG, got a truncated/);
test(refuses, 'a truncated TIFF', cut('rgb8.tif', 0.9), /got a (damaged|truncated)|another kind/);
test(refuses, 'a truncated WebP', cut('rgb8.webp', 0.6), /got a damaged/);
test(
  refuses,
  'a drawing',
  holding('x.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
  /made of pixels, got SVG/,
);
test(
  refuses,
  'a picture of five channels',
  async () => imageFixture('five-bands.tif'),
  /got 5 channels/,
);
test(
  refuses,
  'a picture of 32-bit integers',
  async () => imageFixture('int32.tif'),
  /got int in srgb/,
);

test('a picture of more pixels than the limit is refused by its header, unless the limit is lifted', async (t) => {
  const bomb = await readFile(imageFixture('rgb8.png'));
  bomb.writeUInt32BE(60000, 16);
  bomb.writeUInt32BE(50000, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  const before = process.memoryUsage().rss;
  await t.throwsAsync(readPicture(bomb, { name: 'bomb.png' }), {
    instanceOf: FormatError,
    message: /^bomb.png: expected at most 268402689 pixels, got 60000x50000\. /,
  });
  t.true(process.memoryUsage().rss - before < 200e6);
  t.is((await probePicture(bomb, { limitPixels: Infinity })).width, 60000);
  await t.throwsAsync(readPicture(imageFixture('rgb8.png'), { limitPixels: 62 }), {
    message: /at most 62 pixels, got 9x7/,
  });
  t.is((await readPicture(imageFixture('rgb8.png'), { limitPixels: 63 })).width, 9);
});

test('a missing file and a folder are path errors', async (t) => {
  await t.throwsAsync(readPicture('/nowhere/x.png'), {
    instanceOf: PathError,
    message: /^\/nowhere\/x.png: expected an existing file or folder, got none \(ENOENT\)\. /,
  });
  await t.throwsAsync(probePicture(temporaryFolder(t)), {
    instanceOf: PathError,
    message: /got a folder/,
  });
});

test('the extension names the format, whatever its case, and no other is written', async (t) => {
  t.is(formatOf('a/b.JPG'), 'jpeg');
  t.throws(() => formatOf('a.bmp'), { instanceOf: FormatError, message: /got \.bmp\. Name/ });
  t.throws(() => formatOf('a'), { message: /got no extension/ });
  const folder = temporaryFolder(t);
  const grey = makePicture(1, 1, 1, new Uint8Array(1));
  await t.throwsAsync(writePicture(grey, path.join(folder, 'a.bmp')), { instanceOf: FormatError });
  t.deepEqual(await readdir(folder), []);
});

test('sides that a format cannot hold are refused before the work', (t) => {
  t.is(checkFormat('a.webp', 16383, 1), 'webp');
  t.throws(() => checkFormat('a.webp', 16384, 1), { message: /at most 16383 pixels in WebP/ });
  t.throws(() => checkFormat('a.jpg', 1, 65536), { message: /at most 65535 pixels in JPEG/ });
  t.is(checkFormat('a.png', 100000, 1), 'png');
});

test('libvips says nothing on stderr, though it warns', async (t) => {
  const folder = temporaryFolder(t);
  const tiff = await readFile(imageFixture('rgb8.tif'));
  const entries = tiff.readUInt32LE(4) + 2;
  tiff.writeUInt16LE(65000, entries); // an unknown tag, out of order: libtiff warns of both
  await writeFile(path.join(folder, 'x.tif'), tiff);
  const codec = new URL('../../src/image/codec.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(codec)}).then((m) => m.readPicture('x.tif').catch(() => {}))`;
  const stderr = (debug: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const flags = ['--import', import.meta.resolve('tsx'), '-e', code];
      const options = { cwd: folder, env: { ...process.env, NODE_DEBUG: debug } };
      execFile(process.execPath, flags, options, (error, _, text) =>
        error ? reject(error) : resolve(text),
      );
    });
  t.is(await stderr(''), '');
  t.regex(await stderr('sharp'), /SHARP .*(tag|sort|order)/i); // so there was something to say
});
