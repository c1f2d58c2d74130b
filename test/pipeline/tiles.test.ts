import test from 'ava';
import { UsageError } from '../../src/tensor/errors.ts';
import { planTiles, type AxisPlan, type TileOptions } from '../../src/pipeline/tiles.ts';
import { random } from '../helpers/random.ts';

/** An axis as most tests need it: the other one is a single pixel. */
function axis(size: number, options: Omit<TileOptions, 'width' | 'height'>): AxisPlan {
  return planTiles({ width: size, height: 1, ...options }).x;
}

interface Case {
  readonly size: number;
  readonly tile: number;
  readonly overlap: number;
  readonly halo: number;
  readonly align: number;
  readonly phase: number;
  readonly fixed: boolean;
}

/** Seeded random plans, small sizes often. */
const cases: readonly Case[] = Array.from({ length: 1000 }, (_, i): Case => {
  const next = random(i);
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  const align = [1, 2, 4, 8, 16, 32, 3][integer(0, 6)]!;
  const overlap = integer(0, 70);
  const least = Math.ceil(overlap / align) * align;
  return {
    size: next() < 0.3 ? integer(1, 40) : integer(1, 3000),
    tile: least + align + integer(0, 300),
    overlap,
    halo: integer(0, Math.floor(overlap / 2)),
    align,
    phase: next() < 0.5 ? 1 : 4,
    fixed: next() < 0.3,
  };
});
const plans: readonly (readonly [Case, AxisPlan])[] = cases.map((c) => [c, axis(c.size, c)]);

test('weights of every pixel sum to 1, whatever the size, tile and overlap', (t) => {
  for (const [c, plan] of plans) {
    const sum = new Float64Array(c.size);
    for (const tile of plan.tiles) {
      for (let k = tile.from; k < tile.to; k++) sum[tile.start + k]! += tile.weights[k]!;
    }
    const worst = sum.reduce((most, value) => Math.max(most, Math.abs(value - 1)), 0);
    t.true(worst < 2e-7, `${JSON.stringify(c)}: off by ${worst}`);
  }
});

test('all tiles have one length, a multiple of the alignment and at most the tile asked for', (t) => {
  for (const [c, plan] of plans) {
    t.is(plan.length % c.align, 0, JSON.stringify(c));
    t.true(plan.length <= c.tile, JSON.stringify(c));
    for (const tile of plan.tiles) t.is(tile.weights.length, plan.length);
  }
});

test('tiles lie on one grid and rise', (t) => {
  for (const [c, { tiles }] of plans) {
    const starts = tiles.map((tile) => tile.start);
    for (const [i, start] of starts.entries()) {
      t.is(Math.abs((start - starts[0]!) % c.align), 0, JSON.stringify(c));
      if (i > 0) t.true(start > starts[i - 1]!, JSON.stringify(c));
    }
  }
});

test('neighbours overlap by at least what was asked', (t) => {
  for (const [c, { tiles, length }] of plans) {
    for (let i = 1; i < tiles.length; i++) {
      t.true(tiles[i - 1]!.start + length - tiles[i]!.start >= c.overlap, JSON.stringify(c));
    }
  }
});

test('no result is used within the halo of an inner edge', (t) => {
  for (const [c, { tiles, length }] of plans) {
    for (const [i, tile] of tiles.entries()) {
      if (i > 0) t.true(tile.from >= c.halo, JSON.stringify(c));
      if (i + 1 < tiles.length) t.true(tile.to <= length - c.halo, JSON.stringify(c));
    }
  }
});

test('a mirrored picture gets mirrored tiles and weights, bit for bit', (t) => {
  let compared = 0;
  for (const [c, { tiles, length, size }] of plans) {
    const before = -tiles[0]!.start;
    const after = tiles.at(-1)!.start + length - size;
    if (before !== after) {
      t.true((before + after) % (2 * c.phase) !== 0, JSON.stringify(c)); // no even split exists
      continue;
    }
    compared++;
    for (const [i, tile] of tiles.entries()) {
      const twin = tiles[tiles.length - 1 - i]!;
      t.is(size - twin.start - length, tile.start, JSON.stringify(c));
      t.deepEqual(twin.weights.toReversed(), tile.weights, JSON.stringify(c));
    }
  }
  t.true(compared > 400);
});

test('the padding before the picture is a multiple of the phase and less than the alignment', (t) => {
  for (const [c, { tiles }] of plans) {
    const before = -tiles[0]!.start;
    t.true(before >= 0 && before < c.align && before % c.phase === 0, JSON.stringify(c));
  }
});

test('no fewer tiles would do, and one more comes only to keep the plan symmetric', (t) => {
  for (const [c, { tiles }] of plans) {
    const cells = Math.ceil(c.size / c.align);
    const overlap = Math.ceil(c.overlap / c.align);
    const tile = Math.floor(c.tile / c.align);
    const fewest = cells <= tile ? 1 : Math.ceil((cells - overlap) / (tile - overlap));
    t.true(tiles.length === fewest || tiles.length === fewest + 1, JSON.stringify(c));
    if (tiles.length > fewest) t.is(tiles.length % 2, 0, JSON.stringify(c));
  }
});

test('a picture of one pixel is one tile of the alignment', (t) => {
  const { x, y } = planTiles({ width: 1, height: 1, tile: 512, overlap: 64, align: 16 });
  t.deepEqual([x.length, y.length, x.tiles.length, y.tiles.length], [16, 16, 1, 1]);
  t.deepEqual([x.tiles[0]!.from, x.tiles[0]!.to], [7, 8]);
});

test('a picture that fits in a tile is not padded beyond the alignment', (t) => {
  t.is(axis(509, { tile: 512, overlap: 64, align: 8 }).length, 512);
  t.is(axis(500, { tile: 512, overlap: 64, align: 8 }).length, 504);
});

test('tiles shrink to spread evenly, unless the shape is to stay fixed', (t) => {
  const options = { tile: 512, overlap: 64, align: 8 };
  t.is(axis(768, options).length, 416);
  t.is(axis(768, { ...options, fixed: true }).length, 512);
});

test('the two axes are planned apart', (t) => {
  const plan = planTiles({ width: 1024, height: 300, tile: 512, overlap: 64, align: 4 });
  t.deepEqual([plan.x.tiles.length, plan.y.tiles.length], [3, 1]);
  t.deepEqual([plan.x.length, plan.y.length], [384, 300]);
});

test('a ramp is smoothstep over the overlap less the halo', (t) => {
  const { tiles } = axis(24, { tile: 16, overlap: 8, halo: 2 });
  const ramp = [0.125, 0.375, 0.625, 0.875].map((u) => Math.fround(u * u * (3 - 2 * u)));
  t.deepEqual([...tiles[1]!.weights.subarray(0, 7)], [0, 0, ...ramp, 1]);
});

const rejects = test.macro({
  exec(t, options: Partial<TileOptions>, message: RegExp) {
    const all = { width: 64, height: 64, tile: 32, overlap: 8, ...options };
    t.throws(() => planTiles(all), { instanceOf: UsageError, message });
  },
  title: (_, options) => `rejects ${JSON.stringify(options)}`,
});

test(rejects, { tile: 16, overlap: 32 }, /at least 33 pixels/);
test(rejects, { tile: 40, overlap: 32, align: 16 }, /at least 48 pixels/);
test(rejects, { tile: 7, overlap: 0, align: 8 }, /at least 8 pixels/);
test(rejects, { halo: 5 }, /at least 10 pixels/);
test(rejects, { width: 0 }, /width .* got 0/);
test(rejects, { overlap: -1 }, /overlap .* got -1/);
test(rejects, { tile: 32.5 }, /tile .* got 32\.5/);
