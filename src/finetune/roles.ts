/**
 * @file One network in several roles of a training graph: what they share is there once.
 *
 * The generator, the frozen prior and the regularizer are all the base's UNet. Each role is a scope
 * that spells the base's keys but may give its own names to what is not shared.
 */
import type { Graph } from '../graph/graph.ts';
import { type Adapters, type Scope, scope } from '../graph/scope.ts';
import type { Scopes } from '../networks/osediff.ts';
import type { Algorithm1Config } from './algorithm1-config.ts';
import { adaptersOf } from './lora-modules.ts';

/** The parts of a training step. */
export interface Roles {
  readonly generator: Scopes;
  /** The encoder as it was. */
  readonly frozenVae: Scope;
  readonly prior: Scope;
  readonly regularizer: Scope;
  readonly discriminator: Scope;
  readonly lpips: Scope;
}

const none: Adapters = { on: () => [] };

/**
 * Names in the graph: the generator's as in the checkpoint, with its LoRA beside them; `reg.` for what
 * the regularizer has of its own; `frozen.` for the original of a weight that the generator trains.
 */
export function roles(graph: Graph, config: Algorithm1Config): Roles {
  const { ranks, regularizer, trained } = config;
  const frozen = (key: string): string => (trained(key) ? `frozen.${key}` : key);
  const priorPath = config.prior ? 'prior' : 'unet';
  const own = (key: string): string => `reg${key.slice(priorPath.length)}`;
  const lora = adaptersOf(ranks);
  const regularizerLora = regularizer === 'all' ? none : adaptersOf(regularizer, priorPath);
  return {
    generator: {
      vae: role(graph, 'vae', lora, (key) => key),
      unet: role(graph, 'unet', lora, (key) => key),
    },
    frozenVae: role(graph, 'vae', none, frozen),
    prior: role(graph, priorPath, none, frozen),
    regularizer: role(graph, priorPath, regularizerLora, (key) =>
      regularizer === 'all' || isLoraKey(key) ? own(key) : frozen(key),
    ),
    discriminator: scope(graph, 'discriminator'),
    lpips: scope(graph, 'lpips'),
  };
}

/** Whether a name that {@link roles} gives is a parameter. */
export function isParameter(name: string, { trained }: Algorithm1Config): boolean {
  return isLoraKey(name) || /^(reg|discriminator)\./.test(name) || trained(name);
}

/**
 * A scope whose weights have other names in the graph than in the checkpoint.
 *
 * @param path the checkpoint's: `unet`
 * @param rename the name of a weight, from its key; the weight is still read by its key
 */
function role(
  graph: Graph,
  path: string,
  adapters: Adapters,
  rename: (key: string) => string,
): Scope {
  const wrap = (inner: Scope): Scope => ({
    ...inner,
    at: (...names) => wrap(inner.at(...names)),
    weight: (name, shape) => {
      const key = inner.key(name);
      return graph.weight({ name: rename(key), shape, sources: [{ key, shape }] });
    },
    derived: (name, weight) => {
      const own = rename(inner.key(name));
      // A layer that folds weights together must not do so with any that are trained.
      if (graph.trainable(own)) throw new Error(`${own} is made of weights that are to be trained`);
      return graph.weight({ name: own, ...weight });
    },
    // Several roles would record different values under one name.
    out: (value) => value,
  });
  return wrap(scope(graph, path, adapters));
}

/** Whether a key is of a LoRA: `<path>.lora_A.<adapter>.weight`. */
function isLoraKey(key: string): boolean {
  return /\.lora_[AB]\./.test(key);
}
