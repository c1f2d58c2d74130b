/**
 * @file Degraded crops per second: the chain alone on one core, and the whole pool from files.
 *
 *     node --conditions=osediff-source --import=tsx bench/degrade.ts [FOLDER of pictures]
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { degrade, enlargeInput } from '../src/degrade/chain.ts';
import { drawPlan } from '../src/degrade/draw.ts';
import { osediffParams } from '../src/degrade/params.ts';
import type { Planes } from '../src/degrade/planes.ts';
import { openSamples } from '../src/degrade/pool.ts';
import { Random } from '../src/tensor/random.ts';
import { jpegs, type JpegKind } from '../src/degrade/sample.ts';
import { tensor } from '../src/tensor/tensor.ts';

/** Something with the smoothness, edges and noise of a photograph. */
function scene(side: number): Planes {
  const random = new Random([side]);
  const data = new Float32Array(3 * side * side);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % side, Math.floor(i / side) % side];
    const wave = Math.sin(x / 9) * Math.cos(y / 13) + ((x >> 5) + (y >> 5)) / 20;
    data[i] = Math.min(1, Math.max(0, 0.3 + 0.3 * wave + 0.05 * random.uniform()));
  }
  return tensor('float32', [3, side, side], data);
}

/** The cost of a crop over `count` different plans, nothing read or decoded. */
async function chain(side: number, count: number, kind: JpegKind): Promise<string> {
  const truth = scene(side);
  const once = async (seed: number): Promise<void> => {
    const plan = drawPlan(osediffParams, [seed]);
    enlargeInput(await degrade(truth, plan, { jpeg: jpegs[kind] }), plan, side, side);
  };
  for (let i = 0; i < 20; i++) await once(1e6 + i); // let the compiler see it
  return measure(count, once);
}

/** What each of `count` runs takes: time of this process's cores, all threads, and of the clock. */
async function measure(count: number, run: (i: number) => Promise<unknown>): Promise<string> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i++) await run(i);
  const clock = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const busy = (user + system) / 1000 / count;
  return `${busy.toFixed(1)} ms of a core each, ${((1000 * count) / clock).toFixed(1)} a second`;
}

for (const kind of ['diff', 'real'] as const) {
  for (const [side, count] of [
    [512, 60],
    [128, 400],
  ] as const) {
    console.log(`chain ${side}x${side}, ${kind} JPEG: ${await chain(side, count, kind)}`);
  }
}

const folder = process.argv[2];
if (folder !== undefined) {
  const names = (await readdir(folder)).filter((name) => /\.(png|jpe?g|webp|tiff?)$/i.test(name));
  const files = names.sort().map((name) => join(folder, name));
  for (const workers of [1, 2]) {
    for (const [crop, count] of [
      [512, 40],
      [128, 200],
    ] as const) {
      const pool = openSamples({ files, crop, params: osediffParams, seed: 1 }, { workers });
      for (let i = 0; i < 4; i++) await pool.next();
      const cost = await measure(count, () => pool.next());
      console.log(`pool of ${workers}, crops of ${crop}, files decoded: ${cost}`);
      await pool.close();
    }
  }
}
