import test from 'ava';
import type { Picture } from 'osediff';
import { Calmer } from '../../../plugins/ffmpeg-filter/temporal.ts';
import { nearestLoader } from '../../helpers/nearest-upscaler.ts';

const [width, height] = [64, 48];

function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** A texture seen through a window that moves by whole pixels, with noise of some levels. */
function view(shift: number, noise: number, seed: number): Picture {
  const draw = random(seed);
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    const x = (pixel % width) + shift;
    const y = Math.floor(pixel / width);
    const texture =
      120 +
      50 * Math.sin(x * 0.7 + (i % 3)) * Math.cos(y * 0.45) +
      30 * Math.sin(x * 0.13 + y * 0.31);
    return texture + (draw() - 0.5) * 2 * noise;
  });
  return { width, height, channels: 3, data };
}

/** Mean square difference of each result to the one before, moved along the known motion. */
function warpingError(results: readonly Picture[], step: number, scale: number): number {
  let [sum, count] = [0, 0];
  for (let k = 1; k < results.length; k++) {
    const [now, before] = [results[k]!, results[k - 1]!];
    for (let y = 0; y < now.height; y++) {
      for (let x = 0; x < now.width - step * scale; x++) {
        for (let c = 0; c < 3; c++) {
          const a = now.data[(y * now.width + x) * 3 + c]!;
          const b = before.data[(y * now.width + x + step * scale) * 3 + c]!;
          sum += (a - b) ** 2;
          count++;
        }
      }
    }
  }
  return sum / count;
}

async function measure(step: number, calm: number): Promise<{ warping: number; error: number }> {
  const upscaler = await nearestLoader()();
  const calmer = new Calmer(calm, 2);
  const results: Picture[] = [];
  let [error, samples] = [0, 0];
  for (let k = 0; k < 8; k++) {
    const input = view(k * step, 4, 100 + k);
    const alone = await upscaler.upscale(input, { scale: 2 });
    const result = calm > 0 ? calmer.next(input, alone) : alone;
    const truth = await upscaler.upscale(view(k * step, 0, 1), { scale: 2 });
    for (let i = 0; i < result.data.length; i++) error += (result.data[i]! - truth.data[i]!) ** 2;
    samples += result.data.length;
    results.push(result);
  }
  return { warping: warpingError(results, step, 2), error: error / samples };
}

for (const [name, step] of [
  ['a still picture', 0],
  ['a moving picture', 2],
] as const) {
  test(`${name} with noise flickers less, and is nearer to the picture without noise`, async (t) => {
    const [plain, calm] = [await measure(step, 0), await measure(step, 0.8)];
    t.log(
      `warping error ${plain.warping.toFixed(2)} -> ${calm.warping.toFixed(2)}, error to the clean ${plain.error.toFixed(2)} -> ${calm.error.toFixed(2)}`,
    );
    t.true(calm.warping < plain.warping * 0.5);
    t.true(calm.error < plain.error);
  });
}

test('a cut is not blended', async (t) => {
  const upscaler = await nearestLoader()();
  const calmer = new Calmer(0.9, 2);
  const dark = { ...view(0, 0, 1), data: new Uint8Array(width * height * 3).fill(20) };
  const light = { ...dark, data: new Uint8Array(width * height * 3).fill(220) };
  calmer.next(dark, await upscaler.upscale(dark, { scale: 2 }));
  const result = await upscaler.upscale(light, { scale: 2 });
  t.deepEqual(calmer.next(light, result), result);
});
