/** @file Exact counts of bytes out of a stream of chunks. */
import type { Readable } from 'node:stream';
import { FormatError } from 'osediff';

/** Reads a stream by bytes; large reads are copied once. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #what: string;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @param what the stream's name in errors */
  constructor(stream: Readable | AsyncIterable<Buffer>, what: string) {
    this.#chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.#what = what;
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done === true) return false;
    this.#chunk = value;
    this.#at = 0;
    return true;
  }

  /** The next byte, or -1 at the end. */
  async byteOrEnd(): Promise<number> {
    while (this.#at >= this.#chunk.length) if (!(await this.#more())) return -1;
    return this.#chunk[this.#at++]!;
  }

  /** @throws FormatError at the end */
  async byte(): Promise<number> {
    const byte = await this.byteOrEnd();
    if (byte < 0) throw this.#short();
    return byte;
  }

  /** Fill `target` from `from` on. @returns how many bytes there were: fewer only at the end */
  async fill(target: Uint8Array, from = 0): Promise<number> {
    let at = from;
    while (at < target.length) {
      if (this.#at >= this.#chunk.length && !(await this.#more())) break;
      const count = Math.min(target.length - at, this.#chunk.length - this.#at);
      target.set(this.#chunk.subarray(this.#at, this.#at + count), at);
      this.#at += count;
      at += count;
    }
    return at - from;
  }

  /** @throws FormatError when the stream ends before */
  async into<T extends Uint8Array>(target: T, from = 0): Promise<T> {
    if ((await this.fill(target, from)) < target.length - from) throw this.#short();
    return target;
  }

  /** Bytes in a buffer of their own. @throws FormatError when the stream ends before */
  async bytes(count: number): Promise<Buffer> {
    return this.into(Buffer.allocUnsafeSlow(count));
  }

  /** A line without its end, or undefined at the end. @throws FormatError when it exceeds `limit` */
  async line(limit: number): Promise<string | undefined> {
    const bytes: number[] = [];
    for (;;) {
      const byte = await this.byteOrEnd();
      if (byte < 0 && bytes.length === 0) return undefined;
      if (byte < 0) throw this.#short();
      if (byte === 0x0a) return Buffer.from(bytes).toString('latin1');
      if (bytes.push(byte) > limit) {
        throw new FormatError(
          `${this.#what}: expected a line of at most ${limit} bytes, got more.`,
        );
      }
    }
  }

  #short(): FormatError {
    return new FormatError(`${this.#what}: expected more bytes, got the end. It may be cut off.`);
  }
}
