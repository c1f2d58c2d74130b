/** @file Broken picture files: good ones changed at random, the same for the same seed. */
import sharp from 'sharp';
import { random } from './random.ts';

/** A file and what it is called. */
export interface HostileFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A BMP of 24 bits, which no decoder here knows: it has to be refused as kindly. */
function bmp(width: number, height: number): Buffer {
  const row = (width * 3 + 3) & ~3;
  const file = Buffer.alloc(54 + row * height, 120);
  file.fill(0, 0, 54);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  return file;
}

/** Good files of every format, with profiles, EXIF, alpha, 16 bits, frames, strips and tiles. */
async function goodFiles(): Promise<HostileFile[]> {
  const next = random(77);
  const [width, height] = [40, 30];
  const data = Uint8Array.from({ length: width * height * 4 }, () => next() * 256);
  const picture = () => sharp(data, { raw: { width, height, channels: 4 } });
  const said = () =>
    picture()
      .withExif({ IFD0: { Artist: 'A' } })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .withIccProfile('p3');
  const frames = sharp(Buffer.concat([data, data]), {
    raw: { width, height: height * 2, channels: 4, pageHeight: height },
  });
  return [
    { name: 'a.png', bytes: await said().png().toBuffer() },
    { name: 'b.png', bytes: await picture().toColourspace('rgb16').png().toBuffer() },
    { name: 'c.png', bytes: await picture().png({ palette: true }).toBuffer() },
    { name: 'd.jpg', bytes: await said().withMetadata({ orientation: 6 }).jpeg().toBuffer() },
    { name: 'e.jpg', bytes: await picture().jpeg({ progressive: true }).toBuffer() },
    { name: 'f.webp', bytes: await said().webp().toBuffer() },
    { name: 'g.webp', bytes: await picture().webp({ lossless: true }).toBuffer() },
    { name: 'h.webp', bytes: await frames.clone().webp().toBuffer() },
    { name: 'i.tif', bytes: await said().tiff({ compression: 'lzw' }).toBuffer() },
    {
      name: 'j.tif',
      bytes: await picture()
        .tiff({ compression: 'none', tile: true, tileWidth: 16, tileHeight: 16 })
        .toBuffer(),
    },
    {
      name: 'k.tif',
      bytes: await picture().tiff({ compression: 'deflate', bigtiff: true }).toBuffer(),
    },
    { name: 'l.gif', bytes: await picture().gif().toBuffer() },
    { name: 'm.gif', bytes: await frames.clone().gif().toBuffer() },
    { name: 'n.avif', bytes: await picture().avif({ effort: 0 }).toBuffer() },
    { name: 'o.bmp', bytes: bmp(width, height) },
  ];
}

/** One change of a file, or several. */
function mutate(good: Buffer, next: () => number): Buffer {
  const bytes = Buffer.from(good);
  // Headers say the most: half of the changes fall there.
  const place = (): number =>
    Math.floor(next() * (next() < 0.5 ? Math.min(200, bytes.length) : bytes.length));
  switch (Math.floor(next() * 6)) {
    case 0:
      return bytes.subarray(0, place());
    case 1:
      for (let i = 0; i < 1 + next() * 8; i++) bytes[place()] = next() * 256;
      return bytes;
    case 2:
      bytes.writeUInt32BE(
        next() < 0.5 ? 0xffffffff : 0x7fffffff,
        Math.min(place(), bytes.length - 4),
      );
      return bytes;
    case 3: {
      const at = place();
      return bytes.fill(
        next() < 0.5 ? 0 : 255,
        at,
        Math.min(at + Math.floor(next() * 64), bytes.length),
      );
    }
    case 4: {
      const at = place();
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + next() * 40)]);
    }
    default: {
      const at = place();
      const noise = Buffer.from(
        Array.from({ length: next() * 40 }, () => Math.floor(next() * 256)),
      );
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    }
  }
}

/** `count` broken files, in turn of every format. */
export async function hostileFiles(count: number, seed: number): Promise<HostileFile[]> {
  const good = await goodFiles();
  const next = random(seed);
  return Array.from({ length: count }, (_, i) => {
    const { name, bytes } = good[i % good.length]!;
    return { name: `${String(i).padStart(5, '0')}-${name}`, bytes: mutate(bytes, next) };
  });
}
