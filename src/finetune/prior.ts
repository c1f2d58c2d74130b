/**
 * @file Trains a prior for models that have none of Stable Diffusion's kind: it learns to predict the
 * noise in the latents of good pictures (Ho 2020, algorithm 1), as the regularizer does of made ones.
 */
import { gradients } from '../autodiff/backward.ts';
import { stopGradient } from '../autodiff/order.ts';
import { Graph } from '../graph/graph.ts';
import { encodeLatents } from '../networks/osediff.ts';
import { UsageError } from '../tensor/errors.ts';
import type { StepPlan } from './algorithm1.ts';
import type { Algorithm1Config } from './algorithm1-config.ts';
import { mse } from './losses.ts';
import { predict, priorOf, promptOf } from './prediction.ts';
import { isParameter, roles } from './roles.ts';
import { diffusedInput } from './step-inputs.ts';
import { diffuse } from './vsd.ts';

/**
 * One step: mean squared error of the noise that is predicted in `E(x_gt)`, at a random timestep. What
 * is trained is what the config says of the regularizer, under the same names; inputs are `x_gt`,
 * `diff.*` and the prompts, where the network attends to text.
 *
 * @throws UsageError when the config leaves nothing to train
 */
export function priorStep(config: Algorithm1Config): StepPlan {
  const graph = new Graph({ training: true }, (name) => isParameter(name, config));
  const parts = roles(graph, config);
  const xGt = graph.input('x_gt', 'float32', [config.batch, 3, config.height, config.width]);
  const z = stopGradient(encodeLatents(parts.frozenVae, xGt, config.generator));
  const at = diffusedInput(graph, 'diff', config, priorOf(config));
  const eps = predict(parts.regularizer, config)(
    diffuse(z, at),
    at.sinusoids,
    promptOf(graph, config),
  );
  const loss = mse(eps, at.noise);
  const regularizer = graph.inputs.filter(({ name }) => name.startsWith('reg.'));
  if (regularizer.length === 0) {
    throw new UsageError('training: expected something of the prior to train, got nothing.');
  }
  gradients(loss, regularizer, config.recompute).forEach((gradient, i) =>
    graph.output(`grad.${regularizer[i]!.name}`, gradient),
  );
  graph.output('loss.diff', loss);
  return { graph, losses: ['diff'], parameters: { generator: [], regularizer, discriminator: [] } };
}
