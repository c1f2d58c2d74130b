import test from 'ava';
import { bleedColor } from '../../src/image/bleed.ts';
import { makePicture, type Picture } from '../../src/image/picture.ts';

/** A red disc on transparent black, as drawing programs store it. */
function disc(size: number): Picture {
  const data = new Uint8Array(size * size * 4);
  for (let p = 0; p < size * size; p++) {
    const [x, y] = [(p % size) - size / 2, Math.floor(p / size) - size / 2];
    if (Math.hypot(x, y) < size / 3) data.set([200, 40, 30, 255], p * 4);
  }
  return makePicture(size, size, 4, data);
}

test('hidden pixels take the colour of the visible ones, which stay, as alpha does', (t) => {
  const before = disc(33);
  const after = bleedColor(before);
  for (let i = 0; i < after.data.length; i += 4) {
    t.deepEqual([...after.data.subarray(i, i + 3)], [200, 40, 30]);
    t.is(after.data[i + 3], before.data[i + 3]);
  }
});

test('near an edge the near colour counts', (t) => {
  const data = new Uint16Array(64 * 2);
  data.set([10_000, 65_535], 0);
  data.set([50_000, 1], 63 * 2);
  const after = bleedColor(makePicture(64, 1, 2, data));
  t.is(after.data[2], 10_000);
  t.is(after.data[62 * 2], 50_000);
});

test('a picture without hidden pixels, or without any other, is itself', (t) => {
  for (const alpha of [0, 255]) {
    const data = Uint8Array.from({ length: 64 }, (_, i) => (i % 4 === 3 ? alpha : i));
    const picture = makePicture(4, 4, 4, data);
    t.is(bleedColor(picture), picture);
  }
});
