import test from 'ava';
import type { Filter } from '../../src/image/filters.ts';
import { filterWeights } from '../../src/image/filters.ts';
import { readPicture } from '../../src/image/codec.ts';
import { type Channels, makePicture, type Picture, type Samples } from '../../src/image/picture.ts';
import {
  BandResizer,
  reduceByArea,
  resize,
  resizeFloats,
  resizeLikeOfficial,
} from '../../src/image/resample.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { difference, imageFixture } from '../helpers/difference.ts';
import { random } from '../helpers/random.ts';

const fixture = readGolden(imageFixture('resample.safetensors'));

function picture(key: string): Picture {
  const { shape, data } = fixture.get(key)!;
  const [height = 0, width = 0, channels = 0] = shape;
  return makePicture(width, height, channels as Channels, data as Samples);
}

for (const key of fixture.keys()) {
  const [name = '', filter = '', side] = key.split('.');
  if (side !== 'in') continue;
  const tolerance = name.startsWith('float') ? 1e-6 : 0;
  test(`${name} by ${filter} gives the reference's ${tolerance ? 'floats' : 'bytes'}`, (t) => {
    const from = picture(key);
    const to = picture(`${name}.${filter}.out`);
    const out = resize(from, to.width, to.height, filter as Filter);
    t.true(difference(out.data, to.data).largest <= tolerance);
  });
}

for (const n of [0, 1, 2]) {
  const files = golden('files');
  (files ? test : test.skip)(
    `golden file ${n} is resized as by the official program${files ? '' : ' (needs ../shared)'}`,
    async (t) => {
      const input = await readPicture(`${files}/${n}.in.png`);
      const expected = await readPicture(`${files}/${n}.resized.png`);
      const out = resizeLikeOfficial(input, 4);
      t.is(out.width, expected.width);
      t.is(difference(out.data, expected.data).count, 0);
    },
  );
}

for (const filter of ['bicubic', 'lanczos', 'area'] as const) {
  test(`every output of ${filter} has weights that sum to 1 and lie inside the line`, (t) => {
    for (const [from, to] of [
      [1, 9],
      [7, 7],
      [64, 5],
      [13, 100],
      [1000, 3],
    ] as const) {
      const { first, taps, stride, values } = filterWeights(from, to, filter);
      for (let i = 0; i < to; i++) {
        t.true(first[i]! >= 0 && taps[i]! >= 1 && first[i]! + taps[i]! <= from);
        t.true(taps[i]! <= stride);
        const line = values.subarray(i * stride, i * stride + taps[i]!);
        t.true(Math.abs(line.reduce((a, b) => a + b) - 1) < 1e-12);
      }
    }
  });
}

test('a picture that keeps its size is not touched', (t) => {
  const input = picture('enlarge.bicubic.in');
  t.is(resize(input, input.width, input.height), input);
});

test('16-bit and float pictures agree with each other and keep more than bytes do', (t) => {
  const next = random(1);
  const bytes = Uint8Array.from({ length: 20 * 15 * 3 }, () => 100 + next() * 50);
  const wide = makePicture(
    20,
    15,
    3,
    Uint16Array.from(bytes, (v) => v * 257),
  );
  const float = makePicture(
    20,
    15,
    3,
    Float32Array.from(bytes, (v) => v / 255),
  );
  const a = resize(wide, 80, 60).data;
  const b = resize(float, 80, 60).data;
  t.true(
    difference(
      Float64Array.from(a, (v) => v / 65535),
      b,
    ).largest <
      0.6 / 65535,
  );
  t.true(new Set(a).size > 256);
});

test('overshoot is clipped to the range of the samples, and kept in floats that are not a picture', (t) => {
  const edge = Float32Array.from({ length: 16 }, (_, x) => (x < 8 ? 0 : 1));
  const out = resize(makePicture(16, 1, 1, edge), 64, 1).data;
  t.is(Math.max(...out), 1);
  t.is(Math.min(...out), 0);
  const free = resizeFloats(edge, { width: 16, height: 1, channels: 1 }, 64, 1, 'bicubic');
  t.true(Math.max(...free) > 1.01);
  const bytes = resize(
    makePicture(
      16,
      1,
      1,
      Uint8Array.from(edge, (v) => v * 255),
    ),
    64,
    1,
  ).data;
  t.is(Math.max(...bytes), 255);
});

for (const like of [new Uint8Array(), new Uint16Array(), new Float32Array()]) {
  test(`colour hidden under transparency does not leak, ${like.constructor.name}`, (t) => {
    const scale = like instanceof Uint8Array ? 255 : like instanceof Uint16Array ? 65535 : 1;
    // Left half opaque red, right half transparent green.
    const data = new (like.constructor as new (n: number) => Samples)(8 * 4);
    for (let x = 0; x < 8; x++) data.set(x < 4 ? [scale, 0, 0, scale] : [0, scale, 0, 0], x * 4);
    const out = resize(makePicture(8, 1, 4, data), 32, 1);
    let partial = 0;
    for (let i = 0; i < out.data.length; i += 4) {
      const alpha = out.data[i + 3]! / scale;
      if (alpha < 0.02) continue;
      t.true(out.data[i + 1]! <= scale * 0.01, `green at alpha ${alpha}`);
      if (alpha < 0.98) partial++;
    }
    t.true(partial > 0);
  });
}

test('opaque pictures with alpha resize as without it, to a rounding', (t) => {
  const next = random(2);
  // Mild contrast: between the passes Pillow clips bytes, and floats are not clipped.
  const rgba = Uint8Array.from({ length: 61 * 47 * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : 100 + next() * 50,
  );
  const rgb = rgba.filter((_, i) => i % 4 < 3);
  const out = resize(makePicture(61, 47, 4, rgba), 30, 20, 'lanczos').data;
  const plain = resize(makePicture(61, 47, 3, rgb), 30, 20, 'lanczos').data;
  t.true(out.every((v, i) => i % 4 < 3 || v === 255));
  t.true(
    difference(
      [...out].filter((_, i) => i % 4 < 3),
      plain,
    ).largest <= 1,
  );
});

test('small inputs are enlarged first, and stay so, as in the official program', (t) => {
  const input = makePicture(20, 40, 3, new Uint8Array(2400).fill(9));
  const out = resizeLikeOfficial(input, 4, 512);
  t.deepEqual([out.width, out.height], [512, 1024]);
  t.is(resizeLikeOfficial(input, 4).width, 80);
});

test('sides come down to multiples of 8, and fewer than 8 pixels are refused', (t) => {
  const out = resizeLikeOfficial(makePicture(5, 9, 1, new Uint8Array(45)), 3);
  t.deepEqual([out.width, out.height], [8, 24]);
  t.throws(() => resizeLikeOfficial(makePicture(1, 9, 1, new Uint8Array(9)), 4), {
    message: /at least 8x8 output pixels, got 4x36/,
  });
});

test('area averaging keeps the mean and refuses to enlarge', (t) => {
  const input = picture('float-average.area.in');
  const mean = (x: Samples): number => [...x].reduce((a, b) => a + b, 0) / x.length;
  t.true(Math.abs(mean(reduceByArea(input, 7, 5).data) - mean(input.data)) < 1e-6);
  t.throws(() => reduceByArea(input, 11, 5), { message: /expected at most 10x12, got 11x5/ });
  t.throws(() => resize(input, 0, 5), { message: /at least 1x1, got 0x5/ });
});

for (const [channels, Type] of [
  [3, Uint8Array],
  [1, Uint16Array],
  [4, Uint8Array],
] as const) {
  test(`bands of ${channels} channels of ${Type.name} are the whole picture's rows`, (t) => {
    const next = random(channels);
    const scale = Type === Uint8Array ? 256 : 65536;
    const data = new Type(19 * 23 * channels).map(() => next() * scale);
    const picture = makePicture(19, 23, channels, data);
    for (const [width, height] of [
      [76, 92],
      [19, 60],
      [31, 23],
      [10, 12],
    ] as const) {
      const whole = resize(picture, width, height);
      const resizer = new BandResizer(picture, width, height);
      for (const [from, to] of [
        [0, 5],
        [3, 11],
        [9, 12],
        [0, height],
      ] as const) {
        const needed = resizer.needs(from, to);
        const row = 19 * channels;
        const part = data.slice(needed.from * row, needed.to * row);
        const source = makePicture(19, needed.to - needed.from, channels, part);
        const band = resizer.rows(source, needed.from, from, to);
        const expected = whole.data.subarray(from * width * channels, to * width * channels);
        t.deepEqual(band.data, expected.slice());
      }
    }
  });
}
