/** @file Parity of the noise schedule and the timestep's sinusoids: `vectors/schedule.safetensors`. */
import { sinusoid } from '../../src/networks/timestep.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { arraysOf, has, modelName, modelOf, type Section } from './folder.ts';
import { compare } from './row.ts';

/** A sinusoid's angle, up to 999, is rounded to float32 here and in PyTorch. */
const angleTolerance = 1e-4;
/** Products end near zero. They are rounded to float32 at each step, as in PyTorch but not in float64. */
const productTolerance = { float32: 1e-6, float64: 1e-5 };

export const schedule: Section = {
  files: /^vectors\/([a-z0-9]+_)?schedule\.safetensors$/,
  inputs: /^timesteps$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const { generator } = (await modelOf(folder, modelName(file))).config;
    const { alphasCumprod } = generator.schedule;
    const arrays = arraysOf(folder, file);
    const timesteps = Array.from(arrays.get('timesteps')!.data, Number);
    for (const [key, want] of arrays) {
      const got = key.startsWith('alphas_cumprod')
        ? tensor('float64', [alphasCumprod.length], alphasCumprod)
        : key.startsWith('sinusoid')
          ? sinusoids(timesteps, want.shape[1]!, generator.unet.sinusoid)
          : undefined;
      const most =
        got?.dtype === 'float64' ? productTolerance[want.dtype as 'float32'] : angleTolerance;
      if (got) yield compare(file, key, want, [got], most);
    }
  },
};

function sinusoids(
  timesteps: readonly number[],
  width: number,
  options: Parameters<typeof sinusoid>[2],
): Tensor {
  const rows = timesteps.map((t) => sinusoid(t, width, options));
  const data = Float32Array.from(rows.flatMap((values) => [...values]));
  return tensor('float32', [timesteps.length, width], data);
}
