import test from 'ava';
import { adain, adainInPlace, fixColorOfBytes, wavelet } from '../../src/image/color-fix.ts';
import {
  addMoments,
  momentsOfPicture,
  momentsOfPlanes,
  noMoments,
  statistics,
} from '../../src/image/color-statistics.ts';
import { fromPlanes, makePicture, type Picture, toPlanes } from '../../src/image/picture.ts';
import { lowFrequencies, WAVELET_REACH } from '../../src/image/wavelet.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { golden, readGolden } from '../helpers/golden.ts';
import { difference, imageFixture } from '../helpers/difference.ts';
import { random } from '../helpers/random.ts';

/** Bytes in planes as floats in [0, 1]. */
function unit(x: Tensor): Tensor<'float32'> {
  const bytes = x.data as Uint8Array;
  return float32(
    x.shape.slice(-3),
    Float32Array.from(bytes, (v) => v / 255),
  );
}

/** Bytes in planes as an RGB picture. */
function interleaved(x: Tensor): Picture {
  return fromPlanes(unit(x), { like: new Uint8Array(), channels: 3, range: 'unit' });
}

const vectors = golden('vectors/colour.safetensors');
const sets = [
  { name: 'fixture', file: imageFixture('color-fix.safetensors'), low: 'low' },
  { name: 'golden vectors', file: vectors, low: 'low_frequencies' },
];

for (const { name, file, low } of sets) {
  const declare = file ? test : test.skip;
  const title = (what: string): string => `${name}: ${what}${file ? '' : ' (needs ../shared)'}`;
  const read = (): Map<string, Tensor> => readGolden(file!);

  for (const [key, fix] of Object.entries({ adain, wavelet })) {
    declare(title(`${key} of planes`), (t) => {
      const set = read();
      const out = fix(unit(set.get('result')!), unit(set.get('source')!));
      t.true(difference(out.data, set.get(key)!.data as Float32Array).largest < 1e-6);
    });
    declare(title(`${key} of bytes, cut off`), (t) => {
      const set = read();
      const [result, source, expected] = ['result', 'source', `${key}_bytes`].map((k) =>
        interleaved(set.get(k)!),
      ) as [Picture, Picture, Picture];
      const out = fixColorOfBytes(result, source, key as 'adain' | 'wavelet');
      t.is(difference(out.data, expected.data).count, 0);
    });
  }

  declare(title('low frequencies'), (t) => {
    const set = read();
    const { shape, data } = unit(set.get('result')!);
    const [, height = 0, width = 0] = shape;
    const area = width * height;
    const expected = set.get(low)!.data as Float32Array;
    for (let c = 0; c < 3; c++) {
      const plane = lowFrequencies(data.subarray(c * area, (c + 1) * area), width, height);
      t.true(difference(plane, expected.subarray(c * area, (c + 1) * area)).largest < 1e-6);
    }
  });
}

/** Random planes `[3, height, width]` in [0, 1]. */
function noise(height: number, width: number, seed: number): Tensor<'float32'> {
  const next = random(seed);
  return float32([3, height, width], Float32Array.from({ length: 3 * height * width }, next));
}

/** Rows `from` to `to` of planes. */
function band({ shape, data }: Tensor<'float32'>, from: number, to: number): Tensor<'float32'> {
  const [, height = 0, width = 0] = shape;
  const out = new Float32Array(3 * (to - from) * width);
  for (let c = 0; c < 3; c++) {
    const rows = data.subarray((c * height + from) * width, (c * height + to) * width);
    out.set(rows, c * (to - from) * width);
  }
  return float32([3, to - from, width], out);
}

test('statistics gathered by bands, and AdaIN applied by bands, give the whole picture', (t) => {
  const result = noise(30, 17, 1);
  const source = noise(30, 17, 2);
  const whole = adain(result, source);
  const cuts = [0, 7, 8, 30];
  const bands = (x: Tensor<'float32'>): Tensor<'float32'>[] =>
    cuts.slice(1).map((to, i) => band(x, cuts[i]!, to));
  const gathered = (x: Tensor<'float32'>) =>
    statistics(bands(x).map(momentsOfPlanes).reduce(addMoments, noMoments));
  const [from, to] = [gathered(result), gathered(source)];
  const expected = bands(whole);
  for (const [i, piece] of bands(result).entries()) {
    adainInPlace(piece, from, to);
    t.true(difference(piece.data, expected[i]!.data).largest < 1e-6);
  }
});

test('the wavelet of a band is the whole picture from its reach inwards', (t) => {
  const result = noise(90, 9, 3);
  const source = noise(90, 9, 4);
  const whole = wavelet(result, source);
  const [top, bottom] = [5, 80];
  const piece = wavelet(band(result, top, bottom), band(source, top, bottom));
  const inner = band(piece, WAVELET_REACH, bottom - top - WAVELET_REACH);
  const expected = band(whole, top + WAVELET_REACH, bottom - WAVELET_REACH);
  t.true(difference(inner.data, expected.data).largest < 1e-6);
  const tooFar = band(piece, WAVELET_REACH - 1, bottom - top - WAVELET_REACH);
  const beyond = band(whole, top + WAVELET_REACH - 1, bottom - WAVELET_REACH);
  t.true(difference(tooFar.data, beyond.data).largest > 0);
});

test('a picture already in its colours is left as it is', (t) => {
  const x = noise(12, 12, 5);
  t.true(difference(adain(x, x).data, x.data).largest < 1e-6);
  t.true(difference(wavelet(x, x).data, x.data).largest < 1e-6);
});

test('uniform pictures take the source colour and nothing blows up', (t) => {
  const grey = float32([3, 4, 4], new Float32Array(48).fill(0.25));
  const blue = float32(
    [3, 4, 4],
    Float32Array.from({ length: 48 }, (_, i) => (i < 32 ? 0 : 1)),
  );
  for (const fix of [adain, wavelet]) {
    t.true(difference(fix(grey, blue).data, blue.data).largest < 1e-6);
  }
  const one = float32([3, 1, 1], [0.1, 0.2, 0.3]);
  t.true(
    difference(adain(one, float32([3, 1, 1], [0.5, 0.6, 0.7])).data, [0.5, 0.6, 0.7]).largest <
      1e-6,
  );
});

const depths = [
  ['8-bit', Uint8Array, 255],
  ['16-bit', Uint16Array, 65535],
  ['float', Float32Array, 1],
] as const;
for (const [name, Type, scale] of depths) {
  test(`moments of a ${name} picture are those of its planes, alpha left out`, (t) => {
    const next = random(6);
    const samples = new Type(9 * 8 * 4).map(() => next() * scale);
    const picture = makePicture(9, 8, 4, samples);
    const a = momentsOfPicture(picture);
    const b = momentsOfPlanes(toPlanes(picture, 'unit'));
    t.is(a.count, 72);
    t.true(difference([...a.sum, ...a.squares], [...b.sum, ...b.squares]).largest < 1e-4);
  });
}

test('grey counts for all three channels', (t) => {
  const { sum, count } = momentsOfPicture(makePicture(2, 1, 1, new Uint8Array([51, 102])));
  t.is(count, 2);
  t.true(difference(sum, [0.6, 0.6, 0.6]).largest < 1e-12);
});

test('sizes that differ and pictures that are not RGB bytes are refused', (t) => {
  t.throws(() => adain(noise(3, 4, 1), noise(4, 3, 1)), { message: /one size, got \[3, 3, 4\]/ });
  const grey = makePicture(1, 1, 1, new Uint8Array(1));
  t.throws(() => fixColorOfBytes(grey, grey, 'adain'), { message: /expected RGB bytes, got 1/ });
  const wide = makePicture(1, 1, 3, new Uint16Array(3));
  t.throws(() => fixColorOfBytes(wide, wide, 'adain'), { message: /expected RGB bytes/ });
});

test('none leaves the bytes as they are', (t) => {
  const x = makePicture(1, 1, 3, new Uint8Array([1, 2, 3]));
  t.is(fixColorOfBytes(x, makePicture(1, 1, 3, new Uint8Array(3)), 'none'), x);
});
