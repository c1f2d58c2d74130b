/**
 * @file One training step of OSEDiff (Wu 2024, Algorithm 1) as one graph.
 *
 * Parameters and a batch go in; losses and gradients come out. The base's weights are in it once, for
 * generator, prior and regularizer alike. What changes parameters is step.ts.
 */
import { dependencies, gradients } from '../autodiff/backward.ts';
import { after } from '../autodiff/order.ts';
import { add, meanAll, mul } from '../graph/functions.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { bandDistance } from '../networks/band-statistics.ts';
import { encodeLatents, type Generated, generator } from '../networks/osediff.ts';
import { discriminate } from '../networks/patch-discriminator.ts';
import { unet } from '../networks/unet.ts';
import { lpips } from '../networks/vgg-lpips.ts';
import { UsageError } from '../tensor/errors.ts';
import type { Algorithm1Config, LossFactors } from './algorithm1-config.ts';
import { discriminatorHinge, generatorHinge, mse } from './losses.ts';
import { isParameter, type Roles, roles } from './roles.ts';
import { contextOf, diffusedInput, latentInput, textInput, usesText } from './step-inputs.ts';
import { diffuse, guided, type Predict, type Vsd, vsd } from './vsd.ts';

/** Who is trained, each by a loss of its own: `total`, `diff` and `discriminator`. */
export type Trainee = 'generator' | 'regularizer' | 'discriminator';

/** Losses of a step; those of the generator with their factors. */
export type LossName = keyof LossFactors | 'total' | 'diff' | 'discriminator';

export interface Algorithm1 {
  /** Outputs `loss.<name>`, and `grad.<parameter>` for each parameter. */
  readonly graph: Graph;
  readonly losses: readonly LossName[];
  /** Inputs that are trained. */
  readonly parameters: Readonly<Record<Trainee, readonly Value[]>>;
  /** What the step passes through, to be looked at. */
  readonly generated: Generated;
  readonly vsd: Vsd | undefined;
}

/** Where parameters of each are found, by the beginning of their names. */
const owners: Readonly<Record<Trainee, RegExp>> = {
  generator: /^(unet|vae)\./,
  regularizer: /^reg\./,
  discriminator: /^discriminator\./,
};

/**
 * Builds the graph. Its inputs, beside parameters:
 *
 * - `x_l`, `x_gt`: pictures `[N, 3, H, W]`, RGB in [-1, 1]
 * - `text`, `negative`: embeddings `[N, tokens, D]`, where networks attend to text; `prior.text` and
 *   `prior.negative` for a prior that is a network of its own
 * - `vsd.noise`, `diff.noise`: `[N, 4, h, w]`, standard normal, with the `.sinusoids` `[N, C]`,
 *   `.signal` and `.sigma` `[N, 1, 1, 1]` of their timesteps
 * - `posterior.noise`, if the posterior is sampled
 *
 * @throws UsageError when there is no loss, or nothing of the generator to be trained
 */
export function algorithm1(config: Algorithm1Config): Algorithm1 {
  const graph = new Graph({ training: true }, (name) => isParameter(name, config));
  const parts = roles(graph, config);
  const picture = [config.batch, 3, config.height, config.width];
  const xL = graph.input('x_l', 'float32', picture);
  const xGt = graph.input('x_gt', 'float32', picture);
  const made = generate(graph, parts, xL, config);
  const distilled = config.factors.vsd === 0 ? undefined : distill(graph, parts, made, config);
  const losses = generatorLosses(parts, made, xGt, distilled, config);
  const parameters: Record<Trainee, readonly Value[]> = {
    generator: [],
    regularizer: [],
    discriminator: [],
  };
  /** Makes a trainee's gradients outputs. */
  const train = (who: Trainee, loss: Value): Value[] => {
    const candidates = graph.inputs.filter(
      ({ name }) => graph.trainable(name) && owners[who].test(name),
    );
    parameters[who] = dependencies(loss, candidates);
    const results = gradients(loss, parameters[who], config.recompute);
    parameters[who].forEach(({ name }, i) => graph.output(`grad.${name}`, results[i]!));
    return results;
  };
  let done = train('generator', losses.get('total')!);
  if (done.length === 0) {
    throw new UsageError('training: expected something of the generator to train, got nothing.');
  }
  // Each of the following begins when the one before has let go of its memory.
  if (distilled) {
    const at = diffusedInput(graph, 'diff', config, priorOf(config));
    const zT = diffuse(after(distilled.still, done), at);
    const eps = predict(parts.regularizer, config)(zT, at.sinusoids, promptOf(graph, config));
    losses.set('diff', mse(eps, at.noise));
    done = train('regularizer', losses.get('diff')!);
  }
  if (config.factors.gan !== 0) {
    const judge = (x: Value): Value => discriminate(parts.discriminator, x, config.discriminator);
    losses.set('discriminator', discriminatorHinge(judge(xGt), judge(after(made.xH, done))));
    train('discriminator', losses.get('discriminator')!);
  }
  for (const [name, loss] of losses) graph.output(`loss.${name}`, loss);
  return { graph, losses: [...losses.keys()], parameters, generated: made, vsd: distilled };
}

function generate(graph: Graph, parts: Roles, xL: Value, config: Algorithm1Config): Generated {
  const { unet: net } = config.generator;
  const text = usesText(net) ? textInput(graph, 'text', config, net) : undefined;
  const noise = config.samplePosterior ? latentInput(graph, 'posterior.noise', config) : undefined;
  return generator(parts.generator, xL, contextOf(text), config.generator, noise);
}

/** The generator's losses, each with its factor, and their sum. */
function generatorLosses(
  parts: Roles,
  { xH }: Generated,
  xGt: Value,
  distilled: Vsd | undefined,
  config: Algorithm1Config,
): Map<LossName, Value> {
  const { factors, perceptual, discriminator } = config;
  const losses = new Map<LossName, Value>();
  const put = (name: keyof LossFactors, loss: () => Value): void => {
    if (factors[name] !== 0) losses.set(name, mul(loss(), factors[name]));
  };
  put('l2', () => mse(xH, xGt));
  put('perceptual', () =>
    meanAll(
      perceptual.kind === 'lpips'
        ? lpips(parts.lpips, xH, xGt, perceptual.widths).distance
        : bandDistance(xH, xGt),
    ),
  );
  put('vsd', () => distilled!.loss);
  put('gan', () => generatorHinge(discriminate(parts.discriminator, xH, discriminator)));
  if (losses.size === 0) {
    throw new UsageError('training: expected a loss, got none but factors of 0.');
  }
  const total = [...losses.values()].reduce((sum, loss) => add(sum, loss));
  return losses.set('total', total);
}

function distill(graph: Graph, parts: Roles, made: Generated, config: Algorithm1Config): Vsd {
  const { vsdDomain, guidance } = config;
  const net = priorOf(config);
  const at = diffusedInput(graph, 'vsd', config, net);
  const prompt = promptOf(graph, config);
  const negative =
    prompt && guidance !== 1
      ? textInput(graph, config.prior ? 'prior.negative' : 'negative', config, net)
      : undefined;
  const z =
    vsdDomain === 'latent' ? made.zH : encodeLatents(parts.frozenVae, made.xH, config.generator);
  return vsd(
    z,
    at,
    (zt) => guided(predict(parts.prior, config), zt, at.sinusoids, prompt, negative, guidance),
    (zt) => predict(parts.regularizer, config)(zt, at.sinusoids, prompt),
  );
}

function priorOf({
  prior,
  generator: { unet: own },
}: Algorithm1Config): Algorithm1Config['generator']['unet'] {
  return prior ?? own;
}

function predict(s: Scope, config: Algorithm1Config): Predict {
  return (zt, sinusoids, text) => unet(s, zt, sinusoids, contextOf(text), priorOf(config));
}

function promptOf(graph: Graph, config: Algorithm1Config): Value | undefined {
  const net = priorOf(config);
  if (!usesText(net)) return undefined;
  return textInput(graph, config.prior ? 'prior.text' : 'text', config, net);
}
