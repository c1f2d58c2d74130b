/** @file The oracle of gradient rules: central differences of the forward pass, element by element. */
import type { ExecutionContext, Macro } from 'ava';
import test from 'ava';
import { gradients } from '../../src/autodiff/backward.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import type { Session } from '../../src/runtime/session.ts';
import { elementCount, float32, type Tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';
import { graphSession } from '../helpers/run-graph.ts';

/** Largest difference allowed, over the largest gradient; float32 forward passes reach about 1e-4. */
const tolerance = 1e-3;

type Float = Tensor<'float32'>;

/**
 * `build` maps inputs to an output of any shape; its gradients, weighted at random, are held against
 *
 *     (8·(f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h,
 *
 * whose error is of fourth order in h.
 *
 * @param inputs shapes such as `2x3`, or `2x3 in 0.5..2`; elements lie evenly in the range, -1..1 by
 *   default, in random order, so that none is near another or near 0
 */
export const matchesFiniteDifferences: Macro<[build: Build, ...inputs: string[]]> = test.macro({
  exec: async (t: ExecutionContext, build: Build, ...inputs: string[]) => {
    const feeds = inputs.map((text, i) => parseInput(text, i));
    const graph = new Graph({ training: true });
    const x = feeds.map(({ tensor }, i) => graph.input(`x${i}`, 'float32', tensor.shape));
    const y = build(...x);
    const seed = graph.input('seed', 'float32', y.shape);
    gradients(y, x, { seed }).forEach((dx, i) => graph.output(`d${i}`, dx));
    graph.output('y', y);
    const session = await graphSession(graph);
    // Not about 0, so that no sum over them vanishes.
    const weights = spread(y.shape as number[], -0.5, 1, 99);
    const given: Record<string, Float> = { seed: weights };
    feeds.forEach(({ tensor }, i) => (given[`x${i}`] = tensor));
    const results = await session.run(given);
    for (const [i, { tensor, step }] of feeds.entries()) {
      const expected = await differences(session, given, `x${i}`, step, weights);
      const got = results[`d${i}`]!;
      t.deepEqual([...got.shape], [...tensor.shape]);
      const largest = Math.max(...expected.map(Math.abs), 1e-6);
      const error = Math.max(...expected.map((e, k) => Math.abs(e - (got.data[k] as number))));
      t.true(error <= tolerance * largest, `input ${i}: off by ${error} of ${largest}`);
    }
    await session.release();
  },
  title: (title) => `gradient of ${title}`,
});

export type Build = (...inputs: Value[]) => Value;

async function differences(
  session: Session,
  given: Record<string, Float>,
  name: string,
  h: number,
  { data: weights }: Float,
): Promise<number[]> {
  const { shape, data } = given[name]!;
  const at = async (k: number, delta: number): Promise<number> => {
    const moved = data.slice();
    moved[k]! += delta;
    const { y } = await session.run(
      { ...given, [name]: { dtype: 'float32', shape, data: moved } },
      ['y'],
    );
    return (y!.data as Float32Array).reduce((sum, value, i) => sum + value * weights[i]!, 0);
  };
  const out: number[] = [];
  for (let k = 0; k < data.length; k++) {
    const near = (await at(k, h)) - (await at(k, -h));
    const far = (await at(k, 2 * h)) - (await at(k, -2 * h));
    out.push((8 * near - far) / (12 * h));
  }
  return out;
}

function parseInput(text: string, seed: number): { tensor: Float; step: number } {
  const match = /^(scalar|[\dx]+)(?: in (-?[\d.]+)\.\.(-?[\d.]+))?$/.exec(text)!;
  const shape = match[1] === 'scalar' ? [] : match[1]!.split('x').map(Number);
  const [low, high] = [Number(match[2] ?? -1), Number(match[3] ?? 1)];
  // Less than half of the way to the next element or to 0, so that no kink is crossed.
  const step = Math.min(0.01, 0.2 / elementCount(shape)) * (high - low);
  return { tensor: spread(shape, low, high, seed), step };
}

/** Evenly spaced numbers in random order; an even count in a range about 0 keeps away from 0. */
function spread(shape: readonly number[], low: number, high: number, seed: number): Float {
  const count = elementCount(shape);
  const values = Array.from({ length: count }, (_, k) => low + ((high - low) * (k + 0.5)) / count);
  const next = random(seed);
  for (let k = count - 1; k > 0; k--) {
    const other = Math.floor(next() * (k + 1));
    [values[k], values[other]] = [values[other]!, values[k]!];
  }
  return float32(shape, values);
}
