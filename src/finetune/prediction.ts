/** @file The prior's network at work, in whichever role. */
import type { Graph, Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { unet } from '../networks/unet.ts';
import type { UnetConfig } from '../networks/unet-config.ts';
import type { Algorithm1Config } from './algorithm1-config.ts';
import { contextOf, textInput, usesText } from './step-inputs.ts';
import type { Predict } from './vsd.ts';

/** The network of prior and regularizer. */
export function priorOf({ prior, generator }: Algorithm1Config): UnetConfig {
  return prior ?? generator.unet;
}

/** That network with the weights of a role. */
export function predict(s: Scope, config: Algorithm1Config): Predict {
  return (zt, sinusoids, text) => unet(s, zt, sinusoids, contextOf(text), priorOf(config));
}

/** The prompts' input, if the network attends to text. */
export function promptOf(graph: Graph, config: Algorithm1Config): Value | undefined {
  const net = priorOf(config);
  if (!usesText(net)) return undefined;
  return textInput(graph, config.prior ? 'prior.text' : 'text', config, net);
}
