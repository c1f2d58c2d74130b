/** @file A folder as users treat it: files that arrive in every way, good and bad, from one seed. */
import { mkdir, readFile, rename, rm, writeFile, appendFile, copyFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodePicture } from '../../src/image/codec.ts';
import { formatOf } from '../../src/image/formats.ts';
import { makePicture } from '../../src/image/picture.ts';
import { random } from './random.ts';

/** What is to be found in the end. Contents are named by their SHA-256. */
export interface Expectation {
  /** Good pictures that stay in the folder: each has exactly one result. */
  readonly good: Map<string, { readonly width: number; readonly height: number }>;
  /** Good pictures that were there for a while only: at most one result each. */
  readonly fleeting: Set<string>;
  /** Bad files by their path, and what their reason says. */
  readonly bad: Map<string, RegExp>;
}

/** Ways in which a file arrives, and how often. */
const ways = {
  plain: 30,
  slow: 8,
  renamedIntoPlace: 8,
  renamedLater: 8,
  overwritten: 8,
  replaced: 8,
  duplicated: 8,
  deleted: 6,
  longName: 4,
  strangeName: 6,
  empty: 3,
  text: 3,
  truncated: 4,
  wrongType: 3,
} as const;

type Way = keyof typeof ways;

/** Drops `count` files into `folder` in bursts, by the numbers of `seed`. */
export class Chaos {
  readonly expected: Expectation = { good: new Map(), fleeting: new Set(), bad: new Map() };
  readonly #folder: string;
  readonly #next: () => number;
  /** Where files are made before they are moved in: beside the folder, on its device. */
  readonly #beside: string;
  #count = 0;

  constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.#beside = `${folder}-beside`;
    this.#next = random(seed);
  }

  /** Drops the next `count` files; those that take their time are waited for. */
  async drop(count: number): Promise<void> {
    await mkdir(this.#beside, { recursive: true });
    const drops: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      drops.push(this.#drop(this.#way()));
      if (this.#next() < 0.05) await sleep(this.#next() * 200); // a burst ends
      if (drops.length % 20 === 0) await Promise.all(drops.splice(0));
    }
    await Promise.all(drops);
  }

  /** Drops the next `count` files, all of them good and left alone. */
  async dropPlain(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#drop('plain');
  }

  #way(): Way {
    const sum = Object.values(ways).reduce((a, b) => a + b, 0);
    let at = this.#next() * sum;
    for (const [way, weight] of Object.entries(ways)) {
      at -= weight;
      if (at < 0) return way as Way;
    }
    return 'plain';
  }

  async #drop(way: Way): Promise<void> {
    const n = this.#count++;
    const ending = ['.png', '.jpg', '.webp', '.tif'][Math.floor(this.#next() * 4)]!;
    const sub = ['', '', 'sub/', 'sub/deep/'][Math.floor(this.#next() * 4)]!;
    const file = `${sub}${way}-${n}${ending}`;
    const path = join(this.#folder, file);
    await mkdir(dirname(path), { recursive: true });
    const { good, fleeting, bad } = this.expected;
    const picture = await this.#picture(ending);
    const keep = (): void => void good.set(picture.sha256, picture);
    const pause = this.#next() * 300;
    switch (way) {
      case 'plain':
        keep();
        return writeFile(path, picture.bytes);
      case 'slow': {
        keep();
        const third = Math.ceil(picture.bytes.length / 3);
        await writeFile(path, picture.bytes.subarray(0, third));
        await sleep(pause);
        await appendFile(path, picture.bytes.subarray(third, 2 * third));
        await sleep(pause);
        return appendFile(path, picture.bytes.subarray(2 * third));
      }
      case 'renamedIntoPlace':
        keep();
        await writeFile(`${path}.part`, picture.bytes);
        await sleep(pause);
        return rename(`${path}.part`, path);
      case 'renamedLater':
        keep();
        await writeFile(path, picture.bytes);
        await sleep(pause);
        return moved(path, join(this.#folder, `moved-${n}${ending}`));
      case 'overwritten':
      case 'replaced': {
        fleeting.add(picture.sha256);
        const second = await this.#picture(ending);
        good.set(second.sha256, second);
        await writeFile(path, picture.bytes);
        await sleep(2 * pause);
        if (way === 'overwritten') return writeFile(path, second.bytes);
        return this.#moveIn(second.bytes, `${n}`, path);
      }
      case 'duplicated':
        keep();
        await writeFile(path, picture.bytes);
        await sleep(pause);
        return copyFile(path, join(this.#folder, `copy-${n}${ending}`)).catch(() => undefined);
      case 'deleted':
        fleeting.add(picture.sha256);
        await writeFile(path, picture.bytes);
        await sleep(pause);
        return rm(path, { force: true });
      case 'longName': {
        keep();
        const stem = `${n}-`.padEnd(255 - ending.length, 'x');
        return writeFile(join(this.#folder, stem + ending), picture.bytes);
      }
      case 'strangeName': {
        keep();
        const stems = ['Zoë', '日本語 ', 'quote\'"$(x)', 'new\nline', '-rf', '😀', 'a%20b#?&'];
        const stem = stems[n % stems.length]!;
        return writeFile(join(this.#folder, `${stem}${n}${ending}`), picture.bytes);
      }
      case 'empty':
        bad.set(file, /an empty file/);
        return writeFile(path, '');
      case 'text':
        bad.set(file, /got text/);
        return writeFile(path, `text ${n}`);
      case 'truncated':
        bad.set(file, /truncated|damaged|unusual|another kind/);
        return writeFile(path, picture.bytes.subarray(0, picture.bytes.length / 2));
      case 'wrongType': {
        const name = file.slice(0, -extname(file).length) + '.zip';
        bad.set(name, /another kind of file/);
        return writeFile(join(this.#folder, name), Buffer.from(`PK\u0003\u0004\u0000${n}`));
      }
    }
  }

  /** A file that is suddenly there, as a copy program leaves it. */
  async #moveIn(bytes: Uint8Array, name: string, path: string): Promise<void> {
    await writeFile(join(this.#beside, name), bytes);
    await rename(join(this.#beside, name), path);
  }

  /** A picture like no other. */
  async #picture(
    ending: string,
  ): Promise<{ bytes: Buffer; sha256: string; width: number; height: number }> {
    const width = 30 + Math.floor(this.#next() * 20); // none at which the stand-in misbehaves
    const height = 20 + Math.floor(this.#next() * 20);
    const data = Uint8Array.from({ length: width * height * 3 }, () => this.#next() * 256);
    const bytes = await encodePicture(makePicture(width, height, 3, data), formatOf(`x${ending}`));
    return { bytes, sha256: sha256Of(bytes), width, height };
  }
}

/** Renames a file, unless it has been taken already. */
async function moved(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** The SHA-256 of bytes, in hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The SHA-256 of a file. */
export async function sha256OfFile(path: string): Promise<string> {
  return sha256Of(await readFile(path));
}
