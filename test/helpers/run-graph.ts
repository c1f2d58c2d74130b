/** @file Runs a graph under construction on onnxruntime's CPU provider. */
import { selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import type { Graph } from '../../src/graph/graph.ts';
import {
  createSession,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** Weights by key. */
export type Weights = ReadonlyMap<string, Tensor<'float32'>>;

/** A session of the graph with its weights inside. */
export async function graphSession(
  graph: Graph,
  weights: Weights = new Map(),
  options: SessionOptions = {},
): Promise<Session> {
  const read = async (key: string): Promise<Tensor<'float32'>> => {
    const weight = weights.get(key);
    if (!weight) throw new Error(`the test has no weight "${key}"`);
    return await Promise.resolve(weight);
  };
  const bytes = await selfContained(emit(graph, { file: 'weights' }), read);
  return createSession(bytes, { threads: 1, ...options });
}

/** Runs the graph once. */
export async function runGraph(
  graph: Graph,
  feeds: Tensors,
  weights: Weights = new Map(),
): Promise<Tensors> {
  const session = await graphSession(graph, weights);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
