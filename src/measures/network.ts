/** @file Networks as measures run them: prepared for one picture's size, and anew for the next size. */
import type { ReadWeight } from '../graph/bind.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Provider } from '../runtime/provider.ts';
import type { Session, Tensors } from '../runtime/session.ts';

/** Weights that a graph is filled with. */
export interface NetworkWeights {
  readonly read: ReadWeight;
  /** Tells apart weights that differ. */
  readonly identity: string;
}

/** How the program runs networks: given by whoever opens measures. */
export interface Runner {
  /** Where they run: settled when it is first asked for. */
  provider(): Promise<Provider>;
  /** Prepares a graph that was built for the provider. */
  compile(graph: Graph, weights: NetworkWeights): Promise<Session>;
}

/** A network whose inputs may have any size that its graph can be built for. */
export interface Network {
  run(feeds: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** Builds a graph on its inputs, and names its outputs. */
export type Build = (graph: Graph, inputs: Readonly<Record<string, Value>>) => void;

/** The network for the sizes of the last inputs is kept. */
export function network(runner: Runner, weights: NetworkWeights, build: Build): Network {
  let last: { readonly shapes: string; readonly session: Session } | undefined;
  const release = async (): Promise<void> => {
    await last?.session.release();
    last = undefined;
  };
  return {
    release,
    async run(feeds) {
      const shapes = JSON.stringify(
        Object.entries(feeds).map(([name, { shape }]) => [name, shape]),
      );
      if (last?.shapes !== shapes) {
        await release();
        const graph = new Graph({ device: await runner.provider() });
        const inputs = Object.entries(feeds).map(
          ([name, { dtype, shape }]) => [name, graph.input(name, dtype, shape)] as const,
        );
        build(graph, Object.fromEntries(inputs));
        last = { shapes, session: await runner.compile(graph, weights) };
      }
      return last.session.run(feeds);
    },
  };
}
