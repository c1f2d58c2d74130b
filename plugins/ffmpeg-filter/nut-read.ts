/** @file Reads one video stream out of a NUT container (its specification, as ffmpeg writes it): exact times. */
import type { Readable } from 'node:stream';
import { FormatError } from 'osediff';
import { ByteReader } from './byte-reader.ts';
import { fileId, flags, startCodes, type NutFrame, type NutStream } from './nut.ts';

/** Largest header packet and frame that are believed. */
const limits = { packet: 1 << 24, frame: 2 ** 31 - 1 };

/** How a frame code of one byte is to be read. */
interface FrameCode {
  readonly flags: number;
  readonly ptsDelta: number;
  readonly multiplier: number;
  readonly sizeLow: number;
  readonly reserved: number;
  readonly header: number;
}

interface MainHeader {
  readonly codes: readonly FrameCode[];
  readonly timeBases: readonly (readonly [number, number])[];
  /** Bytes that frames begin with, left out of the file. */
  readonly elided: readonly Buffer[];
}

/** Numbers of variable length out of a header packet. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  unsigned(): number {
    for (let value = 0; ;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw broken('a whole header packet, got a short one');
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
  }
  /** A time, which may be negative: it is then written as 64 bits of two's complement. */
  time(): bigint {
    for (let value = 0n; ;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw broken('a whole header packet, got a short one');
      value = (value << 7n) | BigInt(byte & 127);
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  }
  signed(): number {
    const next = this.unsigned() + 1;
    return next % 2 === 1 ? -Math.floor(next / 2) : next / 2;
  }
  bytes(): Buffer {
    const length = this.unsigned();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function broken(expected: string): FormatError {
  return new FormatError(`nut: expected ${expected}.`);
}

async function unsigned(reader: ByteReader): Promise<number> {
  for (let value = 0; ;) {
    const byte = await reader.byte();
    value = value * 128 + (byte & 127);
    if (byte < 128) return value;
  }
}

/**
 * Read a NUT stream with one video stream.
 *
 * @returns its header, and its frames as they come
 * @throws FormatError when it is no such stream, is cut off or damaged
 */
export async function readNut(
  source: Readable | AsyncIterable<Buffer>,
): Promise<{ stream: NutStream; frames: AsyncGenerator<NutFrame> }> {
  const reader = new ByteReader(source, 'nut');
  const id = Buffer.alloc(fileId.length);
  if ((await reader.fill(id)) < id.length || !id.equals(fileId)) {
    throw broken('a NUT stream, got something else');
  }
  const state = new Demuxer(reader);
  while (!state.stream) {
    const code = await reader.byte();
    if (code !== 0x4e) throw broken('a stream header first, got a frame');
    await state.packet();
  }
  return { stream: state.stream, frames: state.frames() };
}

class Demuxer {
  readonly #reader: ByteReader;
  #main: MainHeader | undefined;
  #shift = 0;
  #last = 0;
  stream: NutStream | undefined;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** A header packet whose first byte was read. */
  async packet(): Promise<void> {
    const code = (await this.#reader.bytes(7)).toString('hex');
    const size = await unsigned(this.#reader);
    if (size > limits.packet)
      throw broken(`header packets below ${limits.packet} bytes, got ${size}`);
    if (size > 4096) await this.#reader.bytes(4); // a checksum of the packet's head
    const cursor = new Cursor(await this.#reader.bytes(size));
    if (code === startCodes.main) this.#main ??= mainHeader(cursor);
    else if (code === startCodes.stream && !this.stream) this.#streamHeader(cursor);
    else if (code === startCodes.sync) this.#syncPoint(cursor);
  }

  #streamHeader(cursor: Cursor): void {
    cursor.unsigned(); // its number
    if (cursor.unsigned() !== 0) throw broken('a video stream, got another kind');
    const fourcc = cursor.bytes().toString('latin1');
    const timeBase = this.#main?.timeBases[cursor.unsigned()];
    if (!timeBase) throw broken('a time base in the main header, got none');
    this.#shift = cursor.unsigned();
    cursor.unsigned(); // largest distance of times
    const decodeDelay = cursor.unsigned();
    cursor.unsigned(); // flags
    const extradata = Buffer.from(cursor.bytes());
    const [width, height] = [cursor.unsigned(), cursor.unsigned()];
    const sar = [cursor.unsigned(), cursor.unsigned()] as const;
    this.stream = { fourcc, timeBase, decodeDelay, extradata, width, height, sar };
  }

  #syncPoint(cursor: Cursor): void {
    const time = cursor.time();
    const timeBases = this.#main?.timeBases ?? [];
    const count = BigInt(timeBases.length);
    if (count === 0n || !this.stream) throw broken('headers before sync points, got none');
    const base = Number(((time % count) + count) % count); // which time base
    const [num, den] = timeBases[base]!.map(BigInt) as [bigint, bigint];
    const [ownNum, ownDen] = this.stream.timeBase.map(BigInt) as [bigint, bigint];
    this.#last = Number((((time - BigInt(base)) / count) * num * ownDen) / (den * ownNum));
  }

  async *frames(): AsyncGenerator<NutFrame> {
    for (;;) {
      const code = await this.#reader.byteOrEnd();
      if (code < 0) return;
      if (code === 0x4e) await this.packet();
      else {
        const frame = await this.#frame(this.#main!.codes[code]!);
        if (frame) yield frame;
      }
    }
  }

  async #frame(code: FrameCode): Promise<NutFrame | undefined> {
    const reader = this.#reader;
    let { flags: set, reserved, header } = code;
    if (set & flags.invalid) throw broken('a known frame code, got an unknown one');
    if (set & flags.coded) set ^= await unsigned(reader);
    if (set & flags.streamId) await unsigned(reader);
    const pts =
      set & flags.codedPts ? this.#time(await unsigned(reader)) : this.#last + code.ptsDelta;
    const sizeHigh = set & flags.sizeMsb ? await unsigned(reader) : 0;
    if (set & flags.matchTime) await unsigned(reader);
    if (set & flags.headerIndex) header = await unsigned(reader);
    if (set & flags.reserved) reserved = await unsigned(reader);
    for (let i = 0; i < reserved; i++) await unsigned(reader);
    if (set & flags.checksum) await reader.bytes(4);
    this.#last = pts;
    const size = code.sizeLow + sizeHigh * code.multiplier;
    if (size > limits.frame) throw broken(`frames below 2 GiB, got ${size} bytes`);
    if (set & flags.endOfRelevance || size === 0) return undefined;
    const elided = this.#main!.elided[header] ?? Buffer.alloc(0);
    const data = Buffer.allocUnsafeSlow(size);
    elided.copy(data);
    await reader.into(data, elided.length);
    return { pts, key: (set & flags.key) !== 0, data };
  }

  /** A coded time: its low bits near the last one, or all of it. */
  #time(coded: number): number {
    const range = 2 ** this.#shift;
    if (coded >= range) return coded - range;
    const from = this.#last - Math.floor((range - 1) / 2);
    return ((((coded - from) % range) + range) % range) + from;
  }
}

function mainHeader(cursor: Cursor): MainHeader {
  if (cursor.unsigned() > 3) cursor.unsigned(); // version, minor version
  cursor.unsigned(); // streams
  cursor.unsigned(); // largest distance of sync points
  const timeBases = Array.from(
    { length: cursor.unsigned() },
    () => [cursor.unsigned(), cursor.unsigned()] as const,
  );
  const codes = frameCodes(cursor);
  const elided = [Buffer.alloc(0)];
  for (let left = cursor.unsigned(); left > 0; left--) elided.push(Buffer.from(cursor.bytes()));
  return { codes, timeBases, elided };
}

/** The table of 256 frame codes; each row of the header gives what changed since the row before. */
function frameCodes(cursor: Cursor): FrameCode[] {
  const codes: FrameCode[] = [];
  let [ptsDelta, multiplier, header] = [0, 1, 0];
  while (codes.length < 256) {
    const set = cursor.unsigned();
    const fields = cursor.unsigned();
    let [size, reserved] = [0, 0];
    if (fields > 0) ptsDelta = cursor.signed();
    if (fields > 1) multiplier = cursor.unsigned();
    if (fields > 2) cursor.unsigned(); // the stream
    if (fields > 3) size = cursor.unsigned();
    if (fields > 4) reserved = cursor.unsigned();
    const count = fields > 5 ? cursor.unsigned() : multiplier - size;
    if (fields > 6) cursor.signed(); // time of a match
    if (fields > 7) header = cursor.unsigned();
    for (let more = 8; more < fields; more++) cursor.unsigned();
    for (let k = 0; k < count && codes.length < 256; k++) {
      if (codes.length === 0x4e) {
        // 'N' begins header packets
        codes.push({ flags: flags.invalid, ptsDelta, multiplier, sizeLow: 0, reserved, header });
      }
      codes.push({ flags: set, ptsDelta, multiplier, sizeLow: size + k, reserved, header });
    }
  }
  return codes;
}
