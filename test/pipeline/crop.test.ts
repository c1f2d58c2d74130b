import test from 'ava';
import { ShapeError } from '../../src/tensor/errors.ts';
import { cropTile } from '../../src/pipeline/crop.ts';
import { planTiles } from '../../src/pipeline/tiles.ts';

test('a tile shows the picture mirrored outside its edges', (t) => {
  const plan = planTiles({ width: 4, height: 2, tile: 8, overlap: 0, align: 8 });
  const tile = cropTile(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), plan, 0, 0);
  t.deepEqual([...tile.subarray(0, 8)], [6, 5, 5, 6, 7, 8, 8, 7]); // a row above the picture
  t.deepEqual([...tile.subarray(24, 32)], [2, 1, 1, 2, 3, 4, 4, 3]);
});

test('a picture of one pixel fills its tile', (t) => {
  const plan = planTiles({ width: 1, height: 1, tile: 8, overlap: 0, align: 8 });
  const tile = cropTile(Float32Array.of(0.25, 0.5), plan, 0, 0);
  t.deepEqual(
    tile,
    Float32Array.from({ length: 128 }, (_, i) => (i < 64 ? 0.25 : 0.5)),
  );
});

test('an inner tile is the picture there', (t) => {
  const plan = planTiles({ width: 6, height: 1, tile: 4, overlap: 2 });
  t.deepEqual([...cropTile(Float32Array.of(0, 1, 2, 3, 4, 5), plan, 1, 0)], [2, 3, 4, 5]);
});

test('writes into a given array, and refuses one of another size', (t) => {
  const plan = planTiles({ width: 4, height: 4, tile: 4, overlap: 0 });
  const source = Float32Array.from({ length: 16 }, (_, i) => i);
  const target = new Float32Array(16);
  t.is(cropTile(source, plan, 0, 0, target), target);
  t.deepEqual(target, source);
  t.throws(() => cropTile(source, plan, 0, 0, new Float32Array(32)), { instanceOf: ShapeError });
  t.throws(() => cropTile(source.subarray(1), plan, 0, 0), { instanceOf: ShapeError });
});
