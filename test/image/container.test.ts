import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { readPictureFile } from '../../src/image/codec.ts';
import { encodePictureFile, type PictureFile, thumbnailOf } from '../../src/image/encode.ts';
import { correctedExif, exifOf, hasThumbnail } from '../../src/image/exif.ts';
import type { Format } from '../../src/image/formats.ts';
import { correctedMetadata, type MetadataChanges } from '../../src/image/metadata.ts';
import { type Channels, makePicture, type Picture } from '../../src/image/picture.ts';
import { random } from '../helpers/random.ts';
import { resize } from '../../src/image/resample.ts';
import {
  longs,
  rational,
  readDirectory,
  shorts,
  type Tag,
  tagsHeader,
} from '../../src/image/tags.ts';

const ascii = (id: number, text: string): Tag => ({ id, type: 2, data: Buffer.from(`${text}\0`) });

/** EXIF as a camera writes it: a name, a date, a place, sizes, and an orientation. */
function cameraExif(orientation: number): Buffer {
  const detail = [
    ascii(0x9003, '2024:05:06 07:08:09'),
    rational(0x829a, 0.004),
    longs(0xa002, 12),
    longs(0xa003, 8),
    { id: 0x927c, type: 7, data: Buffer.from('maker note') },
  ];
  const exif = exifOf([
    ascii(0x10f, 'Maker'),
    ascii(0x13b, 'An artist'),
    ascii(0x8298, 'Nobody'),
    longs(0x100, 12),
    longs(0x101, 8),
    rational(0x11a, 300),
    rational(0x11b, 300),
    shorts(0x128, 2),
    { id: 0x8769, type: 4, data: new Uint8Array(4), directory: detail },
    { id: 0x8825, type: 4, data: new Uint8Array(4), directory: [ascii(1, 'N')] },
  ]);
  const at = exif.indexOf(Buffer.from([0x12, 1, 3, 0, 1, 0, 0, 0]));
  exif.writeUInt16LE(orientation, at + 8);
  return exif;
}

const xmp = (orientation: number): Buffer =>
  Buffer.from(
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
      `<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="${orientation}"/>` +
      '<title>Größe</title></rdf:RDF></x:xmpmeta>',
  );

/** IPTC-IIM: one caption. */
const iptc = Buffer.from([0x1c, 2, 120, 0, 4, ...Buffer.from('text')]);

/** A profile that sharp knows by this name, as bytes. */
async function profile(name: string): Promise<Buffer> {
  const channels = 3;
  const blank = sharp({ create: { width: 1, height: 1, channels, background: 'black' } });
  const tagged = name === 'p3' ? blank.withIccProfile('p3') : blank.withIccProfile('srgb');
  return (await sharp(await tagged.png().toBuffer()).metadata()).icc!;
}

/** A picture with a corner that tells how it is turned, and 16-bit samples that 8 bits lose. */
function pattern(channels: Channels, wide: boolean): Picture {
  const [width, height] = [12, 8];
  const top = wide ? 65535 : 255;
  const data = new (wide ? Uint16Array : Uint8Array)(width * height * channels);
  for (let p = 0; p < width * height; p++) {
    const [x, y] = [p % width, Math.floor(p / width)];
    for (let c = 0; c < channels; c++) {
      const alpha = channels % 2 === 0 && c === channels - 1;
      const value = alpha ? (x < 6 ? 1 : 0) : (x / 24 + y / 32 + c / 16 + 0.001 * p) % 1;
      data[p * channels + c] = Math.round(value * top);
    }
  }
  return makePicture(width, height, channels, data);
}

const changes = (scale: number): MetadataChanges => ({
  width: 12 * scale,
  height: 8 * scale,
  scale,
  density: 'keep',
  strip: false,
  thumbnail: () => thumbnailOf(pattern(3, false)),
});

interface Case {
  readonly format: Format;
  readonly channels: Channels;
  readonly bits: 8 | 16;
  readonly icc: 'none' | 'srgb' | 'p3';
  readonly orientation: number;
}

/** The values of `id` in an EXIF blob, whatever directory they are in. */
function values(exif: Buffer, id: number): Buffer | undefined {
  const read = (at: number, length: number): Buffer => exif.subarray(at, at + length);
  const header = tagsHeader(read)!;
  const all = readDirectory(read, header, header.first);
  const found = [...all, ...all.flatMap(({ directory }) => directory ?? [])].find(
    (tag) => tag.id === id,
  );
  return found && Buffer.from(found.data);
}

/** A file as an application writes it: pixels of `pattern`, everything said beside them. */
async function original({ format, channels, bits, icc, orientation }: Case): Promise<Buffer> {
  const file: PictureFile = {
    frames: [pattern(channels, bits === 16)],
    metadata: {
      exif: cameraExif(orientation),
      xmp: xmp(orientation),
      density: 300,
      ...(icc !== 'none' && { icc: await profile(icc) }),
      ...((format === 'jpeg' || format === 'tiff') && { iptc }),
    },
  };
  return encodePictureFile(file, format, { lossless: true });
}

const keeps = test.macro({
  title: (_, c: Case) =>
    `${c.format} ${c.bits} bits ${c.channels} channels, profile ${c.icc}, orientation ${c.orientation}: nothing is lost`,
  async exec(t: ExecutionContext, c: Case) {
    const { format, channels, bits, icc, orientation } = c;
    const before = await original(c);
    const told = await sharp(before).metadata();
    t.is(told.icc?.length, icc === 'none' ? undefined : (await profile(icc)).length);
    const read = await readPictureFile(before);
    // TIFF has its own orientation, which our writer sets to 1; AVIF turns by a box of its own.
    const turned = orientation > 4 && format !== 'tiff';
    const [picture] = read.frames as [Picture];
    t.deepEqual([picture.width, picture.height], turned ? [8, 12] : [12, 8]);
    const large = resize(picture, picture.width * 2, picture.height * 2);
    const metadata = await correctedMetadata(read.metadata, {
      ...changes(2),
      width: large.width,
      height: large.height,
    });
    const after = await encodePictureFile({ frames: [large], metadata }, format, {
      lossless: true,
    });
    const now = await sharp(after).metadata();
    t.deepEqual([now.width, now.height], [large.width, large.height]);
    t.true(now.orientation === undefined || now.orientation === 1);
    t.deepEqual(now.icc, told.icc);
    const again = await readPictureFile(after);
    const exif = again.metadata.exif!;
    t.is(values(exif, 0x13b)!.toString(), 'An artist\0');
    t.is(values(exif, 0x9003)!.toString(), '2024:05:06 07:08:09\0');
    t.is(values(exif, 0x927c)!.toString(), 'maker note');
    t.is(values(exif, 1)!.toString(), 'N\0');
    t.is(values(exif, 0xa002)!.readUInt32LE(), large.width);
    t.is(values(exif, 0xa003)!.readUInt32LE(), large.height);
    t.regex(again.metadata.xmp!.toString(), /tiff:Orientation="1".*Größe/);
    t.is(
      again.metadata.iptc?.toString('hex'),
      format === 'jpeg' || format === 'tiff' ? iptc.toString('hex') : undefined,
    );
    if (format !== 'webp' && format !== 'avif') t.is(Math.round(again.metadata.density!), 300);
    if (format === 'jpeg') return;
    // Samples: what was written comes back, profile or not.
    const [back] = again.frames as [Picture];
    const expected = bits === 16 && (format === 'png' || format === 'tiff') ? 65535 : 255;
    t.is(
      back.data instanceof Uint16Array,
      expected === 65535 || (format === 'avif' && bits === 16),
    );
    if (format === 'png' || format === 'tiff') t.deepEqual([...back.data], [...large.data]);
    if (channels % 2 === 0) {
      const alphas = [...back.data].filter((_, i) => i % back.channels === back.channels - 1);
      t.true(
        alphas.includes(0) &&
          alphas.some((a) => a === (back.data instanceof Uint16Array ? 65535 : 255)),
      );
    }
  },
});

for (const format of ['png', 'tiff'] as const) {
  for (const channels of [1, 2, 3, 4] as const) {
    for (const bits of [8, 16] as const) {
      test(keeps, { format, channels, bits, icc: channels > 2 ? 'p3' : 'none', orientation: 1 });
    }
  }
}
for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const icc = (['none', 'srgb', 'p3'] as const)[orientation % 3]!;
    test(keeps, { format, channels: 3, bits: 8, icc, orientation });
  }
}
test(keeps, { format: 'webp', channels: 4, bits: 8, icc: 'p3', orientation: 6 });
test(keeps, { format: 'avif', channels: 3, bits: 8, icc: 'p3', orientation: 1 });
test(keeps, { format: 'avif', channels: 4, bits: 8, icc: 'none', orientation: 1 });

test('lossless AVIF of a Display P3 picture holds the samples as they were stored', async (t) => {
  const next = random(3);
  const data = new Uint8Array(64 * 48 * 3).map(() => next() * 256);
  const icc = await profile('p3');
  const file = await encodePictureFile(
    { frames: [makePicture(64, 48, 3, data)], metadata: { icc } },
    'avif',
    { lossless: true },
  );
  const back = await readPictureFile(file);
  t.deepEqual(back.metadata.icc, icc);
  t.deepEqual(back.frames[0]!.data, data);
});

test('a 16-bit gradient keeps more than 256 levels through PNG and TIFF, resized', async (t) => {
  const ramp = makePicture(
    1024,
    2,
    1,
    Uint16Array.from({ length: 2048 }, (_, i) => (i % 1024) * 7),
  );
  for (const format of ['png', 'tiff'] as const) {
    const file = await encodePictureFile({ frames: [ramp], metadata: {} }, format);
    const [read] = (await readPictureFile(file)).frames as [Picture];
    const large = resize(read, 2048, 4);
    const again = await encodePictureFile({ frames: [large], metadata: {} }, format);
    const [back] = (await readPictureFile(again)).frames as [Picture];
    t.true(new Set(back.data.subarray(0, 2048)).size > 1900);
  }
});

/** EXIF of an upright picture, with a thumbnail at its end as cameras place it. */
function exifWithThumbnail(thumbnail: Buffer): Buffer {
  const exif = exifOf([ascii(0x13b, 'An artist')]);
  const second = Buffer.alloc(2 + 3 * 12 + 4);
  second.writeUInt16LE(3, 0);
  const start = exif.length + second.length;
  for (const [i, [id, type, value]] of [
    [0x112, 3, 6],
    [0x201, 4, start],
    [0x202, 4, thumbnail.length],
  ].entries()) {
    second.writeUInt16LE(id!, 2 + i * 12);
    second.writeUInt16LE(type!, 4 + i * 12);
    second.writeUInt32LE(1, 6 + i * 12);
    second.writeUInt32LE(value!, 10 + i * 12);
  }
  exif.writeUInt32LE(exif.length, 8 + 2 + 2 * 12); // after the two entries of the first directory
  return Buffer.concat([exif, second, thumbnail]);
}

test('the thumbnail is replaced by one of the result, or taken out', async (t) => {
  const old = await thumbnailOf(pattern(3, false));
  const exif = exifWithThumbnail(old);
  t.true(hasThumbnail(exif));
  const thumbnail = await thumbnailOf(resize(pattern(3, false), 200, 100));
  const replaced = correctedExif(exif, { width: 200, height: 100, thumbnail })!;
  t.deepEqual(replaced.subarray(replaced.length - thumbnail.length), thumbnail);
  t.is(replaced.indexOf(old), -1);
  t.true(hasThumbnail(replaced));
  const { width, height } = await sharp(
    replaced.subarray(replaced.length - thumbnail.length),
  ).metadata();
  t.deepEqual([width, height], [160, 80]);
  t.false(hasThumbnail(correctedExif(exif, { width: 200, height: 100 })!));
});

test('broken EXIF is left out, and none of it is read beyond its end', (t) => {
  const exif = cameraExif(6);
  const next = random(9);
  for (let i = 0; i < 500; i++) {
    const broken = Buffer.from(exif);
    for (let k = 0; k < 4; k++) broken[Math.floor(next() * broken.length)] = next() * 256;
    const cut = broken.subarray(0, next() * broken.length);
    for (const bytes of [broken, cut]) {
      t.notThrows(() => correctedExif(bytes, { width: 9, height: 9, density: 72 }));
      t.notThrows(() => hasThumbnail(bytes));
    }
  }
});

const animated = test.macro({
  title: (_, format: 'gif' | 'webp') => `an animated ${format} keeps frames, delays and loops`,
  async exec(t: ExecutionContext, format: 'gif' | 'webp') {
    const frames = [0, 1, 2].map((f) =>
      makePicture(
        16,
        10,
        3,
        new Uint8Array(480).map((_, i) => (i % 3 === f ? 255 : 0)),
      ),
    );
    const file: PictureFile = { frames, delays: [100, 200, 300], loop: 3, metadata: {} };
    const back = await readPictureFile(await encodePictureFile(file, format, { lossless: true }));
    t.is(back.frames.length, 3);
    t.deepEqual(back.delays, [100, 200, 300]);
    t.is(back.loop, 3);
    for (const [f, frame] of back.frames.entries()) {
      t.deepEqual([frame.width, frame.height], [16, 10]);
      t.deepEqual([...frame.data.subarray(0, 3)], [...frames[f]!.data.subarray(0, 3)]);
    }
    await t.throwsAsync(encodePictureFile(back, 'png'), { message: /expected one frame, got 3/ });
  },
});
test(animated, 'gif');
test(animated, 'webp');

test('stripped metadata keeps the profile, and density is kept, scaled or set', async (t) => {
  const metadata = { exif: cameraExif(1), xmp: xmp(1), icc: await profile('p3'), density: 100 };
  const stripped = await correctedMetadata(metadata, { ...changes(4), strip: true });
  t.deepEqual(Object.keys(stripped).sort(), ['density', 'icc']);
  for (const [density, expected] of [
    ['keep', 100],
    ['scale', 400],
    [240, 240],
  ] as const) {
    const changed = await correctedMetadata(metadata, { ...changes(4), density });
    t.is(changed.density, expected);
    t.is(values(changed.exif!, 0x11a)!.readUInt32LE() / 1000, expected);
  }
});

test('a PNG without density gets none, and one of 72 keeps it', async (t) => {
  for (const density of [undefined, 72]) {
    const metadata = density === undefined ? {} : { density };
    const file = await encodePictureFile({ frames: [pattern(3, false)], metadata }, 'png');
    t.is((await readPictureFile(file)).metadata.density, density);
  }
});
