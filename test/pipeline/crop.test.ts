import test from 'ava';
import { makePicture } from '../../src/image/picture.ts';
import { cropTile, rowsOf } from '../../src/pipeline/crop.ts';
import { planTiles } from '../../src/pipeline/tiles.ts';
import { ShapeError } from '../../src/tensor/errors.ts';

/** Values in [-1, 1] as the bytes they were. */
const bytes = (tile: Float32Array): number[] => [...tile].map((v) => Math.round((v + 1) * 127.5));

const grey = (width: number, height: number, ...values: number[]) =>
  makePicture(width, height, 1, Uint8Array.from(values));

test('a tile shows the picture mirrored outside its edges', (t) => {
  const plan = planTiles({ width: 4, height: 2, tile: 8, overlap: 0, align: 8 });
  const tile = bytes(cropTile(grey(4, 2, 1, 2, 3, 4, 5, 6, 7, 8), 0, plan, 0, 0));
  t.is(tile.length, 3 * 64);
  t.deepEqual(tile.slice(0, 8), [6, 5, 5, 6, 7, 8, 8, 7]); // a row above the picture
  t.deepEqual(tile.slice(24, 32), [2, 1, 1, 2, 3, 4, 4, 3]);
});

test('a picture of one pixel fills its tile, channel by channel', (t) => {
  const plan = planTiles({ width: 1, height: 1, tile: 8, overlap: 0, align: 8 });
  const tile = bytes(cropTile(makePicture(1, 1, 3, Uint8Array.of(9, 0, 200)), 0, plan, 0, 0));
  t.deepEqual(
    tile,
    Array.from({ length: 192 }, (_, i) => [9, 0, 200][Math.floor(i / 64)]!),
  );
});

test('an inner tile is the picture there', (t) => {
  const plan = planTiles({ width: 6, height: 1, tile: 4, overlap: 2 });
  const tile = bytes(cropTile(grey(6, 1, 0, 1, 2, 3, 4, 5), 0, plan, 1, 0));
  t.deepEqual(tile.slice(0, 4), [2, 3, 4, 5]);
});

for (const Type of [Uint8Array, Uint16Array, Float32Array]) {
  test(`0 and 1 of ${Type.name} are -1 and 1`, (t) => {
    const plan = planTiles({ width: 2, height: 1, tile: 2, overlap: 0 });
    const one = Type === Uint8Array ? 255 : Type === Uint16Array ? 65535 : 1;
    const picture = makePicture(2, 1, 1, Type.of(0, one));
    t.deepEqual([...cropTile(picture, 0, plan, 0, 0)], [-1, 1, -1, 1, -1, 1]);
  });
}

test('the rows that tiles show are all that is needed', (t) => {
  const plan = planTiles({ width: 2, height: 6, tile: 4, overlap: 2 });
  const values = Array.from({ length: 12 }, (_, i) => i);
  const whole = grey(2, 6, ...values);
  for (const row of plan.y.tiles.keys()) {
    const { from, to } = rowsOf(plan, row);
    const band = grey(2, to - from, ...values.slice(2 * from, 2 * to));
    t.deepEqual(cropTile(band, from, plan, 0, row), cropTile(whole, 0, plan, 0, row));
    t.throws(() => cropTile(band, from + 1, plan, 0, row), { instanceOf: ShapeError });
  }
  const wide = makePicture(4, 6, 1, new Uint8Array(24));
  t.throws(() => cropTile(wide, 0, plan, 0, 0), { instanceOf: ShapeError });
});
