/** @file Trains: runs the graph of Algorithm 1 on batches and changes the parameters. */
import {
  accumulate,
  AdamW,
  type AdamWOptions,
  clipNorm,
  globalNorm,
  scale,
} from '../autodiff/optimizer.ts';
import type { Session, Tensors } from '../runtime/session.ts';
import { WeightError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LossName, StepPlan, Trainee } from './algorithm1.ts';
import type { Algorithm1Config } from './algorithm1-config.ts';
import { diffusedFeeds, type Noise } from './step-inputs.ts';

type Float = Tensor<'float32'>;

/** What a step learns from. */
export interface Batch {
  /** `[N, 3, H, W]`, RGB in [-1, 1]: the low-quality picture at its final size, unless a prior is trained. */
  readonly xL?: Float;
  /** The original. */
  readonly xGt: Float;
  /** Embeddings `[N, tokens, D]` of prompt and negative prompt, where the generator attends to text. */
  readonly text?: Float;
  readonly negative?: Float;
  /** The same for a prior that is a network of its own. */
  readonly priorText?: Float;
  readonly priorNegative?: Float;
  /** Draws for distillation and for the regularizer, unless there is no distillation. */
  readonly vsd?: Noise;
  readonly diff?: Noise;
  /** `[N, 4, h, w]`, if the posterior is sampled. */
  readonly posterior?: Float;
}

export interface StepOptions {
  readonly optimizer?: AdamWOptions;
  /** Gradients of each trainee are scaled to at most this norm; 1 in the paper. */
  readonly maxNorm?: number;
  /** Batches whose gradients are averaged into one step. */
  readonly accumulate?: number;
  /** Does what the official program does: the LoRA of conv_in stands in its list twice. */
  readonly asPublished?: boolean;
}

export interface StepReport {
  /** Means over the batches of the step. */
  readonly losses: Readonly<Partial<Record<LossName, number>>>;
  /** Norms of the gradients before clipping. */
  readonly norms: Readonly<Partial<Record<Trainee, number>>>;
  /** False when a loss or gradient was no number: then no parameter has been changed. */
  readonly finite: boolean;
}

const trainees = ['generator', 'regularizer', 'discriminator'] as const;

/** Feeds of a batch, but for the parameters. */
export function batchFeeds(batch: Batch, config: Algorithm1Config): Tensors {
  const named = {
    x_l: batch.xL,
    x_gt: batch.xGt,
    text: batch.text,
    negative: batch.negative,
    'prior.text': batch.priorText,
    'prior.negative': batch.priorNegative,
    'posterior.noise': batch.posterior,
    ...(batch.vsd ? diffusedFeeds('vsd', batch.vsd, config) : {}),
    ...(batch.diff ? diffusedFeeds('diff', batch.diff, config) : {}),
  };
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined),
  ) as Tensors;
}

/** A training run's parameters and optimizer. */
export class Trainer {
  /** By graph input; changed in place by {@link step}. */
  readonly parameters: ReadonlyMap<string, Float>;
  /** One for each trainee, whose state may be kept and put back. */
  readonly optimizers: Readonly<Record<Trainee, AdamW>>;
  readonly #session: Session;
  readonly #plan: StepPlan;
  readonly #config: Algorithm1Config;
  readonly #options: StepOptions;

  /**
   * @param session of the plan's graph
   * @param parameters initial values of every parameter of the plan
   * @throws WeightError naming a parameter that is missing or misshapen
   */
  constructor(
    session: Session,
    plan: StepPlan,
    config: Algorithm1Config,
    parameters: ReadonlyMap<string, Float>,
    options: StepOptions = {},
  ) {
    const values = new Map<string, Float>();
    for (const { name, shape } of trainees.flatMap((who) => plan.parameters[who])) {
      const value = parameters.get(name);
      if (value?.shape.join() !== shape.join()) {
        throw new WeightError(
          `training: expected "${name}" as [${shape.join(', ')}], got ${value ? `[${value.shape.join(', ')}]` : 'none'}.`,
        );
      }
      values.set(name, value);
    }
    this.parameters = values;
    this.#session = session;
    this.#plan = plan;
    this.#config = config;
    this.#options = options;
    const adam = (): AdamW => new AdamW(options.optimizer);
    this.optimizers = { generator: adam(), regularizer: adam(), discriminator: adam() };
  }

  /** Losses and gradients of a batch, by parameter; nothing is changed. */
  async gradients(
    batch: Batch,
  ): Promise<{ losses: Map<LossName, number>; gradients: Map<string, Float32Array> }> {
    const feeds: Record<string, Tensor> = { ...batchFeeds(batch, this.#config) };
    for (const [name, value] of this.parameters) feeds[name] = value;
    const results = await this.#session.run(feeds);
    const losses = new Map(
      this.#plan.losses.map((name) => [name, results[`loss.${name}`]!.data[0] as number]),
    );
    const gradients = new Map<string, Float32Array>();
    for (const name of this.parameters.keys()) {
      gradients.set(name, results[`grad.${name}`]!.data as Float32Array);
    }
    return { losses, gradients };
  }

  /**
   * One step of every trainee, from one or, with accumulation, several batches.
   *
   * @param rate the learning rate
   */
  async step(batches: readonly Batch[], rate: number): Promise<StepReport> {
    const sum = new Map<string, Float32Array>();
    const losses = new Map<LossName, number>();
    for (const batch of batches) {
      const one = await this.gradients(batch);
      accumulate(sum, one.gradients);
      for (const [name, loss] of one.losses) {
        losses.set(name, (losses.get(name) ?? 0) + loss / batches.length);
      }
    }
    if (batches.length > 1) scale(sum, 1 / batches.length);
    const norms: Partial<Record<Trainee, number>> = {};
    for (const who of trainees) {
      const names = this.#names(who);
      if (names.length > 0) norms[who] = globalNorm(sum, names);
    }
    const finite = [...losses.values(), ...Object.values(norms)].every(Number.isFinite);
    if (finite) this.#update(sum, rate);
    return { losses: Object.fromEntries(losses), norms, finite };
  }

  #update(gradients: Map<string, Float32Array>, rate: number): void {
    const { maxNorm = 1 } = this.#options;
    const values = new Map([...this.parameters].map(([name, { data }]) => [name, data]));
    for (const who of trainees) {
      const names = this.#names(who);
      if (names.length === 0) continue;
      clipNorm(gradients, maxNorm, names);
      this.optimizers[who].step(values, gradients, rate, names);
    }
  }

  /** Parameters of a trainee in the optimizer's list, where the official program has some twice. */
  #names(who: Trainee): string[] {
    const names = this.#plan.parameters[who].map(({ name }) => name);
    if (!this.#options.asPublished || who !== 'generator') return names;
    return [...names, ...names.filter((name) => name.startsWith('unet.conv_in.lora_'))];
  }
}
