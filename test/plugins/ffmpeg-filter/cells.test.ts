import test, { type ExecutionContext } from 'ava';
import { loadUpscaler, type Picture, type Upscaler } from 'osediff';
import { planAxis, shares } from '../../../plugins/ffmpeg-filter/axis.ts';
import { CellUpscaler, type CellOptions } from '../../../plugins/ffmpeg-filter/cells.ts';
import { nearestLoader } from '../../helpers/nearest-upscaler.ts';

/** A frame of noise, the same for the same seed; `spot` changes one pixel. */
function frame(width: number, height: number, spot?: readonly [number, number], by = 40): Picture {
  let state = 1;
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (state * 48271) % 2147483647;
    return 50 + (state % 150);
  });
  if (spot) data[(spot[1] * width + spot[0]) * 3]! += by;
  return { width, height, channels: 3, data };
}

const axisCase = test.macro<[number, number, number]>({
  exec(t, size, cell, overlap) {
    const { length, starts, zones } = planAxis(size, cell, overlap);
    t.is(starts[0], 0);
    t.is(starts.at(-1)! + length, size);
    t.true(length <= Math.max(cell, 1));
    t.is(zones[0]!.from, 0);
    for (const [i, { from, to, first, second }] of zones.entries()) {
      t.is(to, zones[i + 1]?.from ?? size);
      for (const k of second === undefined ? [first] : [first, second]) {
        t.true(from >= starts[k]! && to <= starts[k]! + length, 'inside the cells that make it');
      }
      if (second !== undefined) t.true(to - from >= overlap - 1, `${to - from} in common`);
    }
  },
  title: (_, size, cell, overlap) => `${size} pixels in cells of ${cell} with ${overlap} in common`,
});
for (const size of [1, 5, 32, 33, 40, 57, 63, 100, 640, 1921]) test(axisCase, size, 32, 8);
test(axisCase, 3840, 256, 32);

test('shares rise from 0 to 1, symmetrically', (t) => {
  const s = shares({ from: 0, to: 8, first: 0, second: 1 }, 4);
  t.deepEqual([s[0], s.at(-1)], [0, 1]);
  for (const [i, value] of s.entries()) {
    t.true(Math.abs(value + s[s.length - 1 - i]! - 1) < 1e-6);
    if (i > 0) t.true(value >= s[i - 1]!);
  }
});

const options: CellOptions = { scale: 2, cell: 32, overlap: 8, upscale: {} };

async function make(
  t: ExecutionContext,
  more: Partial<CellOptions> = {},
): Promise<{ cells: CellUpscaler; runs: () => number; plain: Upscaler }> {
  let runs = 0;
  const upscaler = await nearestLoader({ before: () => runs++ })();
  const plain = await nearestLoader()();
  t.teardown(() => upscaler.dispose());
  return {
    cells: new CellUpscaler(upscaler, 70, 50, { ...options, ...more }),
    runs: () => runs,
    plain,
  };
}

test('cells together make the whole frame', async (t) => {
  const { cells, plain } = await make(t);
  const whole = await plain.upscale(frame(70, 50), { scale: 2 });
  t.deepEqual(await cells.push(frame(70, 50)), whole);
});

test('a frame that did not change costs nothing', async (t) => {
  const { cells, runs } = await make(t);
  const first = cells.push(frame(70, 50));
  const count = runs();
  t.is(cells.push(frame(70, 50)), first, 'the same promise');
  t.is(runs(), count);
  t.deepEqual(cells.count, { computed: count, reused: count });
});

test('a changed pixel costs the cells that see it, and the result is that of the whole frame', async (t) => {
  const { cells, runs, plain } = await make(t);
  await cells.push(frame(70, 50));
  const count = runs();
  const changed = await cells.push(frame(70, 50, [3, 3]));
  t.is(runs() - count, 1, 'a corner is one cell');
  t.deepEqual(changed, await plain.upscale(frame(70, 50, [3, 3]), { scale: 2 }));
  const back = await cells.push(frame(70, 50));
  t.deepEqual(back, await plain.upscale(frame(70, 50), { scale: 2 }));
});

test('frames pushed before the first is ready are right too', async (t) => {
  const { cells, plain } = await make(t);
  const frames = [frame(70, 50), frame(70, 50, [3, 3]), frame(70, 50, [60, 40]), frame(70, 50)];
  const results = await Promise.all(frames.map((each) => cells.push(each)));
  for (const [i, result] of results.entries()) {
    t.deepEqual(result, await plain.upscale(frames[i]!, { scale: 2 }));
  }
});

test('a threshold is measured from what the result was computed for, so that nothing drifts', async (t) => {
  const { cells, runs } = await make(t, { still: 3 });
  await cells.push(frame(70, 50));
  const count = runs();
  for (const by of [1, 2, 3]) void cells.push(frame(70, 50, [3, 3], by));
  t.is(runs(), count);
  void cells.push(frame(70, 50, [3, 3], 4));
  t.is(runs(), count + 1);
});

test('16 bits: one level of 65535 is a change by the exact test, and none by a threshold of 1', async (t) => {
  const deep = (add: number): Picture => {
    const { data, ...rest } = frame(70, 50);
    const wide = Uint16Array.from(data, (v) => v * 257);
    wide[0]! += add;
    return { ...rest, data: wide };
  };
  const exact = await make(t);
  await exact.cells.push(deep(0));
  const count = exact.runs();
  void exact.cells.push(deep(1));
  t.is(exact.runs(), count + 1);
  const loose = await make(t, { still: 1 });
  await loose.cells.push(deep(0));
  void loose.cells.push(deep(257));
  t.is(loose.runs(), count);
});

test('the bundled model: reuse changes nothing, and still cells are not computed', async (t) => {
  const upscaler = await loadUpscaler();
  t.teardown(() => upscaler.dispose());
  const model: CellOptions = { scale: 2, cell: 48, overlap: 16, upscale: { color: 'wavelet' } };
  const reuse = new CellUpscaler(upscaler, 80, 48, model);
  const all = new CellUpscaler(upscaler, 80, 48, { ...model, still: 'off' });
  const frames = [
    frame(80, 48),
    frame(80, 48, [70, 10]),
    frame(80, 48, [70, 10]),
    frame(80, 48, [2, 2]),
  ];
  for (const each of frames) t.deepEqual(await reuse.push(each), await all.push(each));
  t.true(reuse.count.reused > 0 && reuse.count.computed < all.count.computed);
});
