import test from 'ava';
import { type Channels, float32ToFloat16, type Picture } from 'osediff';
import type { SampleType, Transfer } from '../../../plugins/gimp-bridge/protocol.ts';
import { pack, unpack } from '../../../plugins/gimp-bridge/samples.ts';
import { random } from '../../helpers/random.ts';

const make = {
  u8: (unit: number[]) => Uint8Array.from(unit, (v) => v * 255),
  u16: (unit: number[]) => Uint16Array.from(unit, (v) => v * 65535),
  u32: (unit: number[]) => Uint32Array.from(unit, (v) => v * 4294967295),
  half: (unit: number[]) => float32ToFloat16(Float32Array.from(unit)),
  float: (unit: number[]) => Float32Array.from(unit),
  double: (unit: number[]) => Float64Array.from(unit),
};

function formatOf(type: SampleType, channels: Channels, transfer: Transfer = 'perceptual') {
  return { width: 40, height: 25, channels, type, transfer } as const;
}

/** Bytes before and after, through a model that changes nothing. */
async function thereAndBack(
  type: SampleType,
  channels: Channels,
  transfer: Transfer,
  [low, high]: readonly [number, number] = [0, 1],
) {
  const next = random(7);
  const unit = Array.from({ length: 1000 * channels }, () => low + next() * (high - low));
  const before = make[type](unit);
  const format = formatOf(type, channels, transfer);
  const { picture, beyond } = await unpack(before.slice().buffer, format);
  const bytes = await pack(picture, format, beyond);
  return { before, after: new (before.constructor as typeof Uint8Array)(bytes.slice().buffer) };
}

const isExact = test.macro(
  async (t, type: SampleType, channels: Channels, transfer: Transfer, range?: [number, number]) => {
    const { before, after } = await thereAndBack(type, channels, transfer, range);
    t.deepEqual(after, before as Uint8Array);
  },
);

for (const transfer of ['perceptual', 'linear'] as const) {
  for (const channels of [1, 2, 3, 4] as const) {
    for (const type of ['u8', 'u16', 'half'] as const) {
      test(`${type}, ${channels} channels, ${transfer}, comes back exactly`, isExact, type, channels, transfer); // prettier-ignore
    }
  }
}
test('floats in 0..1 come back exactly', isExact, 'float', 4, 'perceptual');
test('floats far outside 0..1 come back exactly', isExact, 'float', 3, 'perceptual', [-5, 50]);
test('halves far outside 0..1 come back exactly', isExact, 'half', 4, 'linear', [-5, 50]);

const isClose = test.macro(
  async (t, type: 'u32' | 'float' | 'double', transfer: Transfer, range?: [number, number]) => {
    const { before, after } = await thereAndBack(type, 4, transfer, range);
    const one = type === 'u32' ? 4294967295 : 1;
    for (const [i, wanted] of before.entries()) {
      const tolerance = 5e-7 * Math.max(one, Math.abs(wanted));
      if (Math.abs(after[i]! - wanted) > tolerance) t.is(after[i], wanted, `sample ${i}`);
    }
    t.is(after.length, before.length);
  },
);

test('linear floats keep their 24 bits', isClose, 'float', 'linear');
test('linear floats keep their highlights', isClose, 'float', 'linear', [-1, 100]);
test('32-bit integers keep 24 bits', isClose, 'u32', 'perceptual');
test('doubles keep 24 bits', isClose, 'double', 'linear', [-1, 3]);

test('linear light is encoded as sRGB for the model, alpha is not', async (t) => {
  const format = { ...formatOf('float', 4, 'linear'), width: 1, height: 1 };
  const { picture } = await unpack(Float32Array.of(0.5, 0.2158605, 0.001, 0.5).buffer, format);
  const wanted = [0.735357, 0.5019608, 0.01292, 0.5];
  for (const [i, value] of wanted.entries()) t.true(Math.abs(picture.data[i]! - value) < 1e-6);
});

test('bytes and words are not copied', async (t) => {
  const data = new Uint16Array(4000);
  t.is((await unpack(data.buffer, formatOf('u16', 4))).picture.data.buffer, data.buffer);
});

test('what is no number, or infinite, harms no neighbour', async (t) => {
  const data = new Float32Array(1000).fill(0.5);
  data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], 100);
  const format = formatOf('float', 1);
  const { picture, beyond } = await unpack(data.buffer, format);
  t.true(picture.data.every((v) => v >= 0 && v <= 1));
  const doubled: Picture = { width: 80, height: 50, channels: 1, data: new Float32Array(4000) };
  const out = new Float32Array((await pack(doubled, format, beyond)).slice().buffer);
  t.true(out.every(Number.isFinite));
});

test('highlights are enlarged smoothly beside the picture', async (t) => {
  const format = { ...formatOf('float', 1), width: 2, height: 1 };
  const { beyond } = await unpack(Float32Array.of(1, 3).buffer, format);
  const data = Float32Array.of(1, 1, 1, 1);
  const bytes = await pack({ width: 4, height: 1, channels: 1, data }, format, beyond);
  t.deepEqual([...new Float32Array(bytes.buffer)], [1, 1.5, 2.5, 3]);
});

test('stops between turns when nobody waits for it', async (t) => {
  const signal = AbortSignal.abort(new Error('gone'));
  const work = unpack(new Float32Array(1000).buffer, formatOf('float', 1), signal);
  await t.throwsAsync(work, { message: 'gone' });
});
