/** @file Names: a scope spells the checkpoint's keys while a network is built. */
import type { Graph, Value, Weight } from './graph.ts';

/** A place in the network's tree of modules. `path` is the checkpoint's key up to here. */
export interface Scope {
  readonly graph: Graph;
  readonly path: string;
  readonly adapters: Adapters;
  /** The scope of a child module: `s.at('down_blocks', 0, 'resnets')`. */
  at(...names: readonly (string | number)[]): Scope;
  /** The weight of this module called `name`. */
  weight(name: string, shape: readonly number[]): Value;
  /** A weight computed from one or several tensors of the checkpoint. */
  derived(name: string, weight: Omit<Weight, 'name'>): Value;
  /** The full key of a weight of this module. */
  key(name: string): string;
  /** Records what this module computes, so that it can be looked at; gives it back. */
  out(value: Value): Value;
}

/** Low-rank adapters that layers carry beside their weights, for training. */
export interface Adapters {
  /** The adapters on the module at `path`, none by default. */
  on(path: string): readonly Adapter[];
}

/** One LoRA on one module: `y += scale * B(A(x))`. */
export interface Adapter {
  /** Names the weights: `<path>.lora_A.<name>.weight`. */
  readonly name: string;
  readonly rank: number;
  readonly scale: number;
}

const none: Adapters = { on: () => [] };

/** The root scope of a part: `scope(graph, 'unet')`. */
export function scope(graph: Graph, path: string, adapters: Adapters = none): Scope {
  const key = (name: string): string => (path === '' ? name : `${path}.${name}`);
  return {
    graph,
    path,
    adapters,
    at: (...names) => scope(graph, key(names.join('.')), adapters),
    weight: (name, shape) =>
      graph.weight({ name: key(name), shape, sources: [{ key: key(name), shape }] }),
    derived: (name, weight) => graph.weight({ name: key(name), ...weight }),
    key,
    out: (value) => {
      graph.modules.set(path, value);
      return value;
    },
  };
}
