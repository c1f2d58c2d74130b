import { Readable } from 'node:stream';
import test from 'ava';
import { FormatError } from 'osediff';
import { ByteReader } from '../../../plugins/ffmpeg-filter/byte-reader.ts';
import { inOrder } from '../../../plugins/ffmpeg-filter/in-order.ts';
import {
  nutFrameHead,
  nutHeader,
  type NutFrame,
  type NutStream,
} from '../../../plugins/ffmpeg-filter/nut.ts';
import { readNut } from '../../../plugins/ffmpeg-filter/nut-read.ts';
import { readY4mHeader } from '../../../plugins/ffmpeg-filter/y4m.ts';
import { fromPicture, toPicture, type YuvFormat } from '../../../plugins/ffmpeg-filter/yuv.ts';

const stream: NutStream = {
  fourcc: 'RGB\u0018',
  timeBase: [1001, 30000],
  decodeDelay: 2,
  extradata: Buffer.from([1, 2, 3]),
  width: 4,
  height: 2,
  sar: [4, 3],
};

/** Chunks of a few bytes, so that every read crosses borders. */
async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function nut(frames: readonly NutFrame[]): Buffer {
  const parts = frames.flatMap(({ pts, key, data }) => [nutFrameHead(pts, data.length, key), data]);
  return Buffer.concat([nutHeader(stream), ...parts]);
}

const frames: NutFrame[] = [0, 3, 1, 2, 100_000, 4_000_000_000].map((pts, i) => ({
  pts,
  key: i % 2 === 0,
  data: Buffer.alloc(24 + i * 40_000, i),
}));

for (const size of [1, 7, 65_536]) {
  test(`NUT: what is written is read again, in chunks of ${size}`, async (t) => {
    const bytes = size === 1 ? nut(frames.slice(0, 1)) : nut(frames);
    const { stream: read, frames: coming } = await readNut(chunks(bytes, size));
    t.deepEqual(
      { ...read, extradata: Buffer.from(read.extradata) },
      { ...stream, extradata: Buffer.from([1, 2, 3]) },
    );
    const got: NutFrame[] = [];
    for await (const frame of coming) got.push(frame);
    t.deepEqual(got, size === 1 ? frames.slice(0, 1) : frames);
  });
}

test('NUT: a stream cut anywhere is an error or ends between frames; garbage is refused', async (t) => {
  const whole = nut(frames.slice(0, 2));
  for (let length = 0; length < whole.length; length += 5) {
    try {
      const { frames: coming } = await readNut(chunks(whole.subarray(0, length), 64));
      let count = 0;
      for await (const frame of coming) {
        t.deepEqual(frame, frames[count++]);
      }
      t.true(count < 2);
    } catch (error) {
      t.true(error instanceof FormatError, String(error));
    }
  }
  await t.throwsAsync(readNut(chunks(Buffer.alloc(99, 7), 10)), { instanceOf: FormatError });
});

test('yuv4mpeg headers that are no such thing are refused', async (t) => {
  for (const line of [
    '',
    'RIFF',
    'YUV4MPEG2 W4',
    'YUV4MPEG2 W4 H4 It',
    'YUV4MPEG2 W4 H4 C9000',
    `YUV4MPEG2 ${'x'.repeat(9000)}`,
  ]) {
    const reader = new ByteReader(Readable.from([Buffer.from(`${line}\n`)]), 'stdin');
    await t.throwsAsync(readY4mHeader(reader), { instanceOf: FormatError }, line.slice(0, 30));
  }
});

const roundTrip = test.macro<[Partial<YuvFormat>]>({
  exec(t, given) {
    const format: YuvFormat = {
      subX: 2,
      subY: 2,
      leftSited: true,
      depth: 8,
      full: false,
      matrix: 'bt601',
      gray: false,
      ...given,
    };
    const [width, height] = [13, 7];
    const top = 2 ** format.depth;
    // A smooth frame of colours that RGB can hold.
    const sizes = format.gray
      ? [91]
      : [91, ...[0, 0].map(() => Math.ceil(13 / format.subX) * Math.ceil(7 / format.subY))];
    const samples = sizes.flatMap((size, plane) =>
      Array.from({ length: size }, (_, i) =>
        Math.round(top * (plane === 0 ? 0.3 + (0.4 * i) / size : 0.45 + (0.1 * i) / size)),
      ),
    );
    const typed = format.depth > 8 ? Uint16Array.from(samples) : Uint8Array.from(samples);
    const back = fromPicture(toPicture(Buffer.from(typed.buffer), width, height, format), format);
    const got = format.depth > 8 ? new Uint16Array(back.buffer) : new Uint8Array(back.buffer);
    const worst = Math.max(...samples.map((sample, i) => Math.abs(sample - got[i]!)));
    // Chroma is interpolated and averaged again: it moves a little where it is subsampled.
    t.true(
      worst <= (format.subX * format.subY > 1 ? top / 40 : top / 128),
      `off by ${worst} of ${top}`,
    );
  },
  title: (_, given) => `Y'CbCr to RGB and back: ${JSON.stringify(given)}`,
});
test(roundTrip, { subX: 1, subY: 1 });
test(roundTrip, { subX: 1, subY: 1, depth: 10, full: true });
test(roundTrip, { subX: 1, subY: 1, matrix: 'bt709', depth: 12 });
test(roundTrip, {});
test(roundTrip, { subY: 1 });
test(roundTrip, { leftSited: false, depth: 10 });
test(roundTrip, { subX: 4, subY: 1 });
test(roundTrip, { gray: true });

test('white, black and red of BT.601 are themselves', (t) => {
  const format: YuvFormat = {
    subX: 1,
    subY: 1,
    leftSited: false,
    depth: 8,
    full: false,
    matrix: 'bt601',
    gray: false,
  };
  const planes = Buffer.from(new Uint8Array([235, 16, 81, 128, 128, 90, 128, 128, 240]).buffer);
  t.deepEqual([...toPicture(planes, 3, 1, format).data], [255, 255, 255, 0, 0, 0, 254, 0, 0]);
});

test('work begins ahead, ends in order, and no more than the bound is under way', async (t) => {
  let [under, most] = [0, 0];
  async function* items(): AsyncGenerator<number> {
    yield* [5, 1, 4, 2, 3];
  }
  const results = inOrder(
    items(),
    async (ms) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => {
        setTimeout(resolve, ms * 5);
      });
      under--;
      return ms;
    },
    3,
  );
  const got: number[] = [];
  for await (const result of results) got.push(result);
  t.deepEqual(got, [5, 1, 4, 2, 3]);
  t.is(most, 3);
});
