/** @file Steps on gradients that a stand-in for a session gives. */
import test from 'ava';
import type { Algorithm1 } from '../../src/finetune/algorithm1.ts';
import { type Batch, batchFeeds, type StepOptions, Trainer } from '../../src/finetune/step.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { Session, Tensors } from '../../src/runtime/session.ts';
import { WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { batchFor, smallConfig } from './small.ts';

const loraA = 'unet.conv_in.lora_A.default_encoder.weight';
const other = 'unet.conv_out.weight';
const regularizer = 'reg.conv_out.weight';

/** A plan of three parameters of two elements. */
function plan(): Algorithm1 {
  const graph = new Graph({ training: true });
  const input = (name: string) => graph.input(name, 'float32', [2]);
  return {
    graph,
    losses: ['total', 'diff'],
    parameters: {
      generator: [input(loraA), input(other)],
      regularizer: [input(regularizer)],
      discriminator: [],
    },
    generated: undefined as never,
    vsd: undefined,
  };
}

const batch: Batch = batchFor(smallConfig);

/** Gives what `answers` say, a call after the other. */
function trainer(
  answers: readonly (readonly number[])[],
  options: StepOptions = {},
): { trainer: Trainer; fed: Tensors[] } {
  const fed: Tensors[] = [];
  const session: Session = {
    run: async (feeds) => {
      const gradient = answers[fed.length]!;
      fed.push(feeds);
      const all = Object.fromEntries(
        [loraA, other, regularizer].map((name) => [`grad.${name}`, float32([2], gradient)]),
      );
      const loss = float32([], [gradient[0]!]);
      return await Promise.resolve({ ...all, 'loss.total': loss, 'loss.diff': loss });
    },
    release: () => Promise.resolve(),
  };
  const parameters = new Map<string, Tensor<'float32'>>(
    [loraA, other, regularizer].map((name) => [name, float32([2], [1, 1])]),
  );
  return { trainer: new Trainer(session, plan(), smallConfig, parameters, options), fed };
}

const values = (of: Trainer, name: string): number[] => [...of.parameters.get(name)!.data];
const close = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((v, i) => Math.abs(v - b[i]!) < 1e-6);

test('a step moves every trainee by about the rate, after decay', async (t) => {
  const { trainer: of } = trainer([[3, -4]]);
  const report = await of.step([batch], 0.1);
  t.true(report.finite);
  t.true(Math.abs(report.norms.generator! - Math.sqrt(50)) < 1e-6);
  t.is(report.norms.regularizer, 5);
  t.deepEqual(Object.keys(report.norms), ['generator', 'regularizer']);
  for (const name of [loraA, other, regularizer]) {
    t.true(close(values(of, name), [0.999 - 0.1, 0.999 + 0.1]), name);
  }
});

test('batches are averaged before the step', async (t) => {
  const [{ trainer: one }, { trainer: two, fed }] = [
    trainer([[2, 1]], { maxNorm: 1e9 }),
    trainer(
      [
        [4, 0],
        [0, 2],
      ],
      { maxNorm: 1e9 },
    ),
  ];
  await one.step([batch], 0.1);
  const report = await two.step([batch, batch], 0.1);
  t.is(fed.length, 2);
  t.is(report.losses.total, 2);
  t.deepEqual(two.optimizers.generator.state, one.optimizers.generator.state);
});

test('gradients are clipped for each trainee apart', async (t) => {
  const { trainer: of } = trainer([[3, 4]], { maxNorm: 1 });
  await of.step([batch], 0.1);
  const mean = of.optimizers.regularizer.state.get(regularizer)!.mean;
  t.true(close([...mean], [0.1 * 0.6, 0.1 * 0.8]));
  const own = of.optimizers.generator.state.get(other)!.mean;
  t.true(close([...own], [0.06 / Math.SQRT2, 0.08 / Math.SQRT2]));
});

test('no parameter changes when something is no number', async (t) => {
  const { trainer: of } = trainer([[Number.NaN, 1]]);
  const report = await of.step([batch], 0.1);
  t.false(report.finite);
  for (const name of [loraA, other, regularizer]) t.deepEqual(values(of, name), [1, 1]);
  t.is(of.optimizers.generator.state.size, 0);
});

test("as published conv_in's LoRA is stepped twice", async (t) => {
  const { trainer: of } = trainer([[3, 4]], { asPublished: true, maxNorm: 1e9 });
  const { norms } = await of.step([batch], 0.1);
  t.true(Math.abs(norms.generator! - Math.sqrt(75)) < 1e-6);
  t.is(of.optimizers.generator.state.get(loraA)!.step, 2);
  t.is(of.optimizers.generator.state.get(other)!.step, 1);
});

test('parameters and batch are fed', async (t) => {
  const { trainer: of, fed } = trainer([[0, 0]]);
  await of.gradients(batch);
  t.true(
    [loraA, other, regularizer, 'x_l', 'vsd.signal', 'diff.sinusoids'].every((k) => k in fed[0]!),
  );
});

test('timesteps become shares of signal and noise', (t) => {
  const feeds = batchFeeds(batch, smallConfig);
  const [signal, sigma] = [feeds['vsd.signal']!, feeds['vsd.sigma']!];
  t.deepEqual([...signal.shape], [2, 1, 1, 1]);
  signal.data.forEach((s, i) => {
    t.true(Math.abs((s as number) ** 2 + (sigma.data[i] as number) ** 2 - 1) < 1e-6);
  });
  t.true(
    Math.abs((signal.data[0] as number) ** 2 - smallConfig.generator.schedule.alphasCumprod[200]!) <
      1e-6,
  );
});

test('names the parameter that has no value', (t) => {
  const session: Session = { run: () => Promise.resolve({}), release: () => Promise.resolve() };
  t.throws(() => new Trainer(session, plan(), smallConfig, new Map()), {
    instanceOf: WeightError,
    message: /expected "unet\.conv_in\.lora_A\.default_encoder\.weight" as \[2\], got none/,
  });
});
