import test from 'ava';
import { convertDepth, encodeSrgb, overWhite } from '../../src/image/convert.ts';
import {
  alphaOf,
  type Channels,
  fromPlanes,
  makePicture,
  type Rounding,
  type Samples,
  toPlanes,
  withAlpha,
  withoutAlpha,
} from '../../src/image/picture.ts';
import { ShapeError } from '../../src/tensor/errors.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import { difference } from '../helpers/difference.ts';

const everyByte = makePicture(
  16,
  16,
  1,
  Uint8Array.from({ length: 256 }, (_, i) => i),
);

for (const range of ['signed', 'unit'] as const) {
  for (const rounding of ['round', 'truncate'] as const) {
    test(`every byte survives planes of ${range} range, ${rounding}`, (t) => {
      const planes = toPlanes(everyByte, range);
      t.is(planes.data[0], range === 'signed' ? -1 : 0);
      t.is(planes.data[255], 1);
      const back = fromPlanes(planes, { like: everyByte.data, channels: 1, range, rounding });
      // In [-1, 1] float32 cannot hold every byte from below: cut off, some lose one level, as in PyTorch.
      const lost = difference(back.data, everyByte.data);
      t.true(lost.largest <= (range === 'signed' && rounding === 'truncate' ? 1 : 0));
    });
  }
}

test('every 16-bit sample survives planes', (t) => {
  const data = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const planes = toPlanes(makePicture(256, 256, 1, data));
  const back = fromPlanes(planes, { like: data, channels: 1 });
  t.is(difference(back.data, data).count, 0);
});

test('planes hold red, green and blue apart; alpha stays out', (t) => {
  const data = new Uint8Array([255, 0, 51, 7, 0, 255, 102, 9]);
  const planes = toPlanes(makePicture(2, 1, 4, data), 'unit');
  t.deepEqual(planes.shape, [3, 1, 2]);
  t.true(difference(planes.data, [1, 0, 0, 1, 0.2, 0.4]).largest < 1e-7);
});

test('a region is read where it lies, and must lie inside', (t) => {
  const data = Float32Array.from({ length: 5 * 4 * 3 }, (_, i) => i / 60);
  const picture = makePicture(5, 4, 3, data);
  const whole = toPlanes(picture, 'unit').data;
  const part = toPlanes(picture, 'unit', { left: 1, top: 2, width: 3, height: 2 }).data;
  const at = (c: number, y: number, x: number): number => whole[c * 20 + y * 5 + x]!;
  const expected = [0, 1, 2].flatMap((c) =>
    [2, 3].flatMap((y) => [1, 2, 3].map((x) => at(c, y, x))),
  );
  t.is(difference(part, expected).count, 0);
  t.throws(() => toPlanes(picture, 'unit', { left: 3, top: 0, width: 3, height: 1 }), {
    instanceOf: ShapeError,
    message: /region inside 5x4, got 3x1 at \(3, 0\)/,
  });
});

function rounds(value: number, rounding: Rounding, byte: number): void {
  test(`${value} becomes byte ${byte} by ${rounding}`, (t) => {
    const planes = float32([3, 1, 1], [value, value, value]);
    const like = new Uint8Array();
    t.is(fromPlanes(planes, { like, channels: 3, range: 'unit', rounding }).data[2], byte);
  });
}
rounds(0.999, 'truncate', 254);
rounds(0.999, 'round', 255);
rounds(0.5, 'truncate', 127);
rounds(0.5, 'round', 128);
rounds(1.7, 'truncate', 255);
rounds(-0.2, 'round', 0);

test('grey fills three planes and is their mean on the way back', (t) => {
  const planes = toPlanes(makePicture(1, 1, 2, new Uint8Array([51, 0])), 'unit');
  t.true(difference(planes.data, [0.2, 0.2, 0.2]).largest < 1e-7);
  const back = fromPlanes(float32([3, 1, 1], [0.1, 0.2, 0.6]), {
    like: new Float32Array(),
    channels: 1,
    range: 'unit',
  });
  t.true(difference(back.data, [0.3]).largest < 1e-7);
});

for (const channels of [2, 4] as const) {
  test(`colour and alpha of ${channels} channels come apart and together again`, (t) => {
    const data = Uint16Array.from({ length: 6 * channels }, (_, i) => i * 1000);
    const picture = makePicture(3, 2, channels, data);
    const [color, alpha] = [withoutAlpha(picture), alphaOf(picture)!];
    t.is(color.channels, channels === 2 ? 1 : 3);
    t.is(alpha.data[1], data[2 * channels - 1]);
    t.deepEqual(withAlpha(color, alpha), picture);
    t.throws(() => withAlpha(picture, alpha), { instanceOf: ShapeError });
    t.throws(() => withAlpha(color, convertDepth(alpha, new Uint8Array())), {
      instanceOf: ShapeError,
    });
  });
}

test('a picture without alpha has none', (t) => {
  t.is(alphaOf(everyByte), undefined);
  t.is(withoutAlpha(everyByte), everyByte);
});

test('sizes, channels and lengths that make no picture are refused', (t) => {
  const make = (w: number, h: number, c: number, n: number) => () =>
    makePicture(w, h, c as Channels, new Uint8Array(n));
  t.throws(make(0, 1, 1, 0), { message: /at least 1, got 0x1/ });
  t.throws(make(1.5, 2, 1, 3), { message: /at least 1, got 1.5x2/ });
  t.throws(make(1, 1, 5, 5), { message: /1 to 4 channels, got 5/ });
  t.throws(make(2, 2, 3, 11), { message: /12 samples for 2x2x3, got 11/ });
  t.throws(
    () => fromPlanes(float32([4, 1, 1], [0, 0, 0, 0]), { like: new Uint8Array(), channels: 3 }),
    {
      message: /planes \[3, H, W\], got \[4, 1, 1\]/,
    },
  );
});

function converts(from: Samples, to: Samples): void {
  test(`${from.constructor.name} ${from.join()} is ${to.constructor.name} ${to.join()}`, (t) => {
    t.deepEqual(convertDepth(makePicture(from.length, 1, 1, from), to).data, to);
  });
}
converts(new Uint8Array([0, 1, 255]), new Uint16Array([0, 257, 65535]));
converts(new Uint16Array([0, 128, 129, 65535]), new Uint8Array([0, 0, 1, 255]));
converts(new Float32Array([-1, 0.5, 2]), new Uint8Array([0, 128, 255]));
converts(new Float32Array([-1, 0.5, 2]), new Uint16Array([0, 32768, 65535]));
converts(new Uint8Array([0, 255]), new Float32Array([0, 1]));

test('alpha is laid over white', (t) => {
  const rgba = makePicture(3, 1, 4, new Uint8Array([9, 9, 9, 255, 9, 9, 9, 0, 0, 0, 0, 128]));
  t.deepEqual([...overWhite(rgba).data], [9, 9, 9, 255, 255, 255, 127, 127, 127]);
  const grey = makePicture(1, 1, 2, new Float32Array([0.5, 0.5]));
  t.deepEqual([...overWhite(grey).data], [0.75]);
  t.is(overWhite(everyByte), everyByte);
});

test('linear light is encoded by the sRGB curve, alpha is not', (t) => {
  const data = new Float32Array([0, 0.0031308, 0.5, 0.5, 1, -1, 3, 7]);
  encodeSrgb(data, 4);
  t.true(difference(data, [0, 0.04045, 0.735357, 0.5, 1, 0, 1, 1]).largest < 1e-5);
});
