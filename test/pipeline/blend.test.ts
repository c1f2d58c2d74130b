import test from 'ava';
import { ShapeError, UsageError } from '../../src/tensor/errors.ts';
import { TileBlender } from '../../src/pipeline/blend.ts';
import { planTiles, type TileOptions, type TilePlan } from '../../src/pipeline/tiles.ts';
import { random } from '../helpers/random.ts';

type Transform = (tile: Float32Array, column: number, row: number) => Float32Array;

/** A tile of planes, which the picture does not have to end in. */
function cropPlanes(
  source: Float32Array,
  { x, y }: TilePlan,
  column: number,
  row: number,
): Float32Array {
  const channels = source.length / (x.size * y.size);
  const at = (start: number, k: number, size: number): number => {
    const m = (((start + k) % (2 * size)) + 2 * size) % (2 * size);
    return m < size ? m : 2 * size - 1 - m;
  };
  const area = x.length * y.length;
  return Float32Array.from({ length: channels * area }, (_, i) => {
    const [c, p] = [Math.floor(i / area), i % area];
    const line = at(y.tiles[row]!.start, Math.floor(p / x.length), y.size);
    const pixel = at(x.tiles[column]!.start, p % x.length, x.size);
    return source[(c * y.size + line) * x.size + pixel]!;
  });
}

/** Cut `source` to tiles, transform each, blend, and put the bands together. */
function throughTiles(
  source: Float32Array,
  plan: TilePlan,
  channels: number,
  transform: Transform = (tile) => tile,
): { result: Float32Array; tops: number[] } {
  const blender = new TileBlender(plan, channels);
  const result = new Float32Array(source.length);
  const tops: number[] = [];
  for (const row of plan.y.tiles.keys()) {
    for (const column of plan.x.tiles.keys()) {
      const band = blender.add(
        column,
        row,
        transform(cropPlanes(source, plan, column, row), column, row),
      );
      if (!band) continue;
      tops.push(band.top, band.rows);
      for (const [c, plane] of band.planes.entries()) {
        result.set(plane, (c * plan.y.size + band.top) * plan.x.size);
      }
    }
  }
  return { result, tops };
}

function noise(length: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, () => next() * 2 - 1);
}

function worst(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

const blendsBack = test.macro<[TileOptions, number]>({
  exec(t, options, channels) {
    const plan = planTiles(options);
    const source = noise(channels * options.width * options.height, 7);
    const { result, tops } = throughTiles(source, plan, channels);
    t.true(worst(result, source) < 1e-6);
    let next = 0;
    for (let i = 0; i < tops.length; i += 2) {
      t.is(tops[i], next);
      next += tops[i + 1]!;
    }
    t.is(next, options.height);
  },
  title: (_, { width, height, tile, overlap, halo = 0, align = 1 }, channels) =>
    `tiles of ${tile}/${overlap}/${halo}/${align} blend back to ${channels} x ${width}x${height}`,
});

test(blendsBack, { width: 1, height: 1, tile: 64, overlap: 8, align: 8 }, 3);
test(blendsBack, { width: 2, height: 37, tile: 16, overlap: 8, align: 8 }, 3);
test(blendsBack, { width: 100, height: 75, tile: 48, overlap: 16, align: 8, halo: 4 }, 3);
test(blendsBack, { width: 75, height: 100, tile: 48, overlap: 40, align: 4, halo: 10 }, 1);
test(blendsBack, { width: 61, height: 130, tile: 32, overlap: 24 }, 4);
test(blendsBack, { width: 64, height: 64, tile: 32, overlap: 0 }, 2);
test(blendsBack, { width: 64, height: 64, tile: 32, overlap: 8, halo: 4 }, 2);

test('a single tile passes through unchanged, bit for bit', (t) => {
  const source = noise(3 * 33 * 21, 3);
  const plan = planTiles({ width: 33, height: 21, tile: 64, overlap: 8, align: 8 });
  t.deepEqual(throughTiles(source, plan, 3).result, source);
});

test('a flat picture stays flat', (t) => {
  const plan = planTiles({ width: 90, height: 70, tile: 32, overlap: 12, align: 4 });
  const source = new Float32Array(90 * 70).fill(0.7);
  t.true(worst(throughTiles(source, plan, 1).result, source) < 2e-7);
});

test('mirroring the picture mirrors the blend', (t) => {
  const [width, height] = [92, 68];
  const plan = planTiles({ width, height, tile: 32, overlap: 12, align: 4 });
  const source = noise(width * height, 5);
  const flip = (data: Float32Array, w: number): Float32Array =>
    data.map((_, i) => data[i - (i % w) + (w - 1 - (i % w))]!);
  const edges: Transform = (tile) => {
    const w = plan.x.length; // something that differs from tile to tile but mirrors with them
    return tile.map((value, i) => value + Math.min(i % w, w - 1 - (i % w)) ** 2 * 1e-3);
  };
  const straight = throughTiles(source, plan, 1, edges).result;
  const mirrored = throughTiles(flip(source, width), plan, 1, edges).result;
  t.true(worst(flip(mirrored, width), straight) < 3e-7); // the order of float32 sums differs
  t.true(worst(straight, source) > 0.01); // the transform did something
});

test('a step between tiles is spread over the overlap without a jump', (t) => {
  const plan = planTiles({ width: 112, height: 1, tile: 64, overlap: 16 });
  const { result } = throughTiles(new Float32Array(112), plan, 1, (tile, column) =>
    tile.map(() => column),
  );
  let jump = 0;
  for (let i = 1; i < result.length; i++) {
    t.true(result[i]! >= result[i - 1]!);
    jump = Math.max(jump, result[i]! - result[i - 1]!);
  }
  t.true(jump < 1.6 / 16); // smoothstep is steepest in the middle, 1.5 / width
});

test('rows are handed on as soon as no later tile touches them', (t) => {
  const plan = planTiles({ width: 8, height: 40, tile: 16, overlap: 8, halo: 2 });
  const { tops } = throughTiles(new Float32Array(8 * 40), plan, 1);
  t.deepEqual(tops, [0, 10, 10, 8, 18, 8, 26, 14]);
});

test('refuses a tile out of turn, one that came already, and one of another size', (t) => {
  const plan = planTiles({ width: 48, height: 48, tile: 32, overlap: 8 });
  const tile = new Float32Array(plan.x.length * plan.y.length);
  const blender = new TileBlender(plan, 1);
  t.throws(() => blender.add(0, 1, tile), { instanceOf: UsageError });
  t.is(blender.add(1, 0, tile), null);
  t.throws(() => blender.add(1, 0, tile), { instanceOf: UsageError, message: /column 1 of row 0/ });
  t.throws(() => blender.add(0, 0, tile.subarray(1)), { instanceOf: ShapeError });
  t.truthy(blender.add(0, 0, tile));
});
