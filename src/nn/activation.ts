/** @file Activation functions by the names that configs give them. */
import { gelu, quickGelu, relu } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { behind, channelsFirst } from '../graph/layout.ts';
import type { OpAttributes } from '../graph/ops.ts';
import { ConfigError } from '../tensor/errors.ts';

/** `x * sigmoid(x)` (Elfwing 2017). */
export function silu(x: Value): Value {
  const norm = behind(x)?.node;
  if (norm?.op === 'GroupNorm') {
    const attributes = norm.attributes as OpAttributes['GroupNorm'];
    // CUDA's kernel does both; the norm alone is then needed by nobody.
    return channelsFirst(x.graph.add('GroupNorm', norm.inputs, { ...attributes, activation: 1 }));
  }
  return quickGelu(x, 1);
}

const activations: { readonly [name: string]: (x: Value) => Value } = {
  silu,
  swish: silu,
  relu,
  gelu: (x) => gelu(x),
  gelu_new: (x) => gelu(x, 'tanh'),
  quick_gelu: (x) => quickGelu(x, 1.702),
};

/**
 * The activation a config calls `name`.
 *
 * @throws ConfigError for one that is not built here.
 */
export function activation(name: string, where: string): (x: Value) => Value {
  if (!Object.hasOwn(activations, name)) {
    const known = Object.keys(activations).join(', ');
    throw new ConfigError(`${where}: expected an activation of ${known}; got "${name}".`);
  }
  return activations[name]!;
}
