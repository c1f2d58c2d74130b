import test from 'ava';
import sharp from 'sharp';
import { toRgb as rgb } from '../../src/measures/rgb.ts';
import { findSeams } from '../../src/measures/seams.ts';
import { resize } from '../../src/image/resample.ts';
import { planTiles } from '../../src/pipeline/tiles.ts';
import {
  loadUpscaler,
  PathError,
  type Picture,
  type Upscaler,
  UsageError,
} from '../../src/index.ts';

/** A picture with edges, slopes and texture, the same each time. */
function pattern(width: number, height: number, channels: 1 | 2 | 3 | 4 = 3): Picture {
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [
      i % channels,
      Math.floor(i / channels) % width,
      Math.floor(i / channels / width),
    ];
    const stripes = (x >> 3) % 2 === (y >> 3) % 2 ? 60 : 0;
    data[i] = 90 + stripes + 50 * Math.sin(x / 5 + c) * Math.cos(y / 7) + ((x * y + c) % 7);
  }
  return { width, height, channels, data };
}

/** Smooth slopes, where a seam shows most. */
function sky(width: number, height: number): Picture {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 120 + (60 * y) / height + ((i % 3) * 20 * x) / width;
  });
  return { width, height, channels: 3, data };
}

function mean({ data }: Picture): number {
  return Array.from(data).reduce((a, b) => a + b, 0) / data.length;
}

function psnr(a: Picture, b: Picture): number {
  const sum = Array.from(a.data).reduce((total, v, i) => total + (v - b.data[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (sum / a.data.length));
}

let up: Upscaler;
test.before(async () => {
  up = await loadUpscaler({ device: 'cpu' });
});
test.after.always(() => up.dispose());

test('gives exactly scale times the size, down to one pixel', async (t) => {
  for (const [width, height, scale, w, h] of [
    [1, 1, 4, 4, 4],
    [1, 9, 4, 4, 36],
    [37, 23, 4, 148, 92],
    [10, 10, 1.5, 15, 15],
    [5, 3, 0.5, 3, 2],
  ] as const) {
    const out = await up.upscale(pattern(width, height), { scale });
    t.deepEqual([out.width, out.height, out.data.length], [w, h, w * h * 3]);
  }
});

test('two runs give the same bytes', async (t) => {
  const [a, b] = await Promise.all(
    [0, 1].map(async () => {
      const own = await loadUpscaler({ device: 'cpu' });
      const out = await own.upscale(pattern(40, 30));
      await own.dispose();
      return out;
    }),
  );
  t.deepEqual(a!.data, b!.data);
});

for (const [name, picture] of [
  ['texture', pattern(160, 120)],
  ['a sky', sky(160, 120)],
] as const) {
  test(`tiled and untiled agree on ${name} to 60 dB at least, and no seam is found`, async (t) => {
    const whole = await up.upscale(picture, { tile: 1024, color: 'none' });
    for (const tile of [256, 384]) {
      const tiled = await up.upscale(picture, { tile, color: 'none' });
      t.true(psnr(whole, tiled) >= 60, `${psnr(whole, tiled)} dB with tiles of ${tile}`);
      const plan = planTiles({ width: 640, height: 480, tile, overlap: 96, align: 4 });
      const borders = {
        columns: plan.x.tiles.slice(1).map(({ start }) => start + 48),
        rows: plan.y.tiles.slice(1).map(({ start }) => start + 48),
      };
      const { ratio, worst } = findSeams(rgb(tiled), borders, rgb(whole));
      t.true(ratio < 1.02 && worst < 1.1, `${ratio}, at worst ${worst}, tiles of ${tile}`);
    }
  });
}

test('keeps depth and channels, and enlarges alpha', async (t) => {
  for (const channels of [1, 2, 3, 4] as const) {
    const bytes = pattern(24, 20, channels);
    const wide: Picture = { ...bytes, data: Uint16Array.from(bytes.data, (v) => v * 257) };
    const floats: Picture = { ...bytes, data: Float32Array.from(bytes.data, (v) => v / 255) };
    const results = await Promise.all([bytes, wide, floats].map((p) => up.upscale(p)));
    t.deepEqual(
      results.map((r) => [r.channels, r.data.constructor.name]),
      [
        [channels, 'Uint8Array'],
        [channels, 'Uint16Array'],
        [channels, 'Float32Array'],
      ],
    );
    const means = results.map((r) => mean(r));
    t.true(Math.abs(means[1]! / 257 - means[0]!) < 1 && Math.abs(means[2]! * 255 - means[0]!) < 1);
  }
});

test('an opaque picture stays opaque', async (t) => {
  const picture = pattern(12, 10, 4);
  for (let i = 3; i < picture.data.length; i += 4) picture.data[i] = 255;
  const out = await up.upscale(picture);
  t.true(out.data.every((value, i) => i % 4 !== 3 || value === 255));
});

test('a shape on transparent black has no dark edge', async (t) => {
  const [size, color] = [48, [240, 200, 40]];
  const data = new Uint8Array(size * size * 4);
  for (let p = 0; p < size * size; p++) {
    const inside = Math.hypot((p % size) - 24, Math.floor(p / size) - 24) < 15;
    if (inside) data.set([...color, 255], p * 4);
  }
  const out = await up.upscale({ width: size, height: size, channels: 4, data });
  const alphas = new Set<number>();
  let worst = 0;
  for (let i = 0; i < out.data.length; i += 4) {
    alphas.add(out.data[i + 3]!);
    if (out.data[i + 3]! < 5) continue;
    for (const [c, v] of color.entries()) worst = Math.max(worst, Math.abs(out.data[i + c]! - v));
  }
  t.true(worst <= 3, `off by ${worst}`);
  t.true(alphas.has(0) && alphas.has(255) && alphas.size > 10, 'a smooth edge');
  t.is(out.data[3], 0);
  t.is(out.data[(96 * 192 + 96) * 4 + 3], 255);
});

test('detail is a weight between plain enlargement and the result', async (t) => {
  const picture = pattern(24, 20);
  const [none, half, all] = await Promise.all(
    [0, 0.5, 1].map((detail) => up.upscale(picture, { detail })),
  );
  t.deepEqual(none!.data, resize(picture, 96, 80).data);
  t.notDeepEqual(all!.data, none!.data);
  for (const [i, v] of half!.data.entries()) {
    t.true(Math.abs(v - (none!.data[i]! + all!.data[i]!) / 2) <= 1.5);
  }
  await t.throwsAsync(up.upscale(picture, { detail: 1.1 }), { instanceOf: UsageError });
});

test('matches the colour of the input', async (t) => {
  const picture = pattern(32, 32);
  for (const color of ['adain', 'wavelet'] as const) {
    const out = await up.upscale(picture, { color });
    t.true(Math.abs(mean(out) - mean(picture)) < 1, `${color}: ${mean(out)} ${mean(picture)}`);
  }
});

test('takes a sharp pipeline', async (t) => {
  const { width, height, data } = pattern(20, 14);
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  const [a, b] = await Promise.all([up.upscale(raw), up.upscale(pattern(20, 14))]);
  t.deepEqual(new Uint8Array(a.data), new Uint8Array(b.data));
});

test("leaves the caller's event loop free, and its picture as it was", async (t) => {
  const picture = pattern(128, 128);
  const before = picture.data.slice();
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const start = performance.now();
  await up.upscale(picture);
  const took = performance.now() - start;
  clearInterval(timer);
  t.true(longest < took / 2, `stalled for ${longest} of ${took} ms`);
  t.deepEqual(picture.data, before);
});

test('reports progress and stops when aborted', async (t) => {
  const abort = new AbortController();
  const seen: string[] = [];
  const run = up.upscale(pattern(200, 200), {
    tile: 256,
    signal: abort.signal,
    onProgress: ({ phase, done, total }) => {
      seen.push(`${phase} ${done}/${total}`);
      if (phase === 'tiles') abort.abort();
    },
  });
  const reason = await t.throwsAsync(run, { any: true });
  t.is((reason as Error).name, 'AbortError');
  t.is(seen[0], 'prepare 0/1');
  t.true(seen.length < 8, seen.join(', '));
  t.is((await up.upscale(pattern(8, 8))).width, 32, 'the model still works');
});

test('rejects what it cannot do, with the class of the error', async (t) => {
  await t.throwsAsync(loadUpscaler({ model: 'no-such-model' }), {
    instanceOf: PathError,
    message: /no-such-model/,
  });
  await t.throwsAsync(loadUpscaler({ device: 'abacus' }), { instanceOf: UsageError });
  await t.throwsAsync(up.upscale(pattern(8, 8), { scale: 17 }), { instanceOf: UsageError });
  await t.throwsAsync(up.upscale(pattern(8, 8), { tile: 64, overlap: 64 }), {
    instanceOf: UsageError,
  });
  await t.throwsAsync(up.upscale({ ...pattern(8, 8), width: 9 }), { message: /samples/ });
  const gone = await loadUpscaler({ device: 'cpu' });
  await gone.dispose();
  await t.throwsAsync(gone.upscale(pattern(8, 8)), { message: /ended/ });
});
