/** @file Counts what a graph computes: multiply-adds of its convolutions and matrix products. */
import { multiplyDims } from './dims.ts';
import { emit } from './emit.ts';
import type { Graph, Node, Value } from './graph.ts';

/** Multiply-adds of the nodes that the outputs need; elementwise work is left out, as papers do. */
export function multiplyAdds(graph: Graph): number {
  const { model } = emit(graph, { file: 'weights' });
  const needed = new Set(model.graph.node.flatMap(({ name }) => name));
  return graph.nodes
    .filter(({ name }) => needed.has(name))
    .reduce((sum, node) => sum + ofNode(node), 0);
}

function ofNode({ op, inputs, output }: Node): number {
  const [x, w, v] = inputs as readonly [Value, Value, Value];
  if (op === 'Conv') return elements(output) * elements(w, 1);
  if (op === 'NhwcConv') return elements(output) * elements(w, 1);
  if (op === 'ConvTranspose') return elements(x) * elements(w, 1);
  if (op === 'MatMul') return elements(output) * (x.shape.at(-1) as number);
  if (op !== 'Attention' && op !== 'MultiHeadAttention') return 0;
  // q·kᵀ and then ·v, over all heads: each element of q and of the result sees every key.
  return (elements(x) + elements(output)) * (v.shape[1] as number);
}

/** Elements of a value, over all axes from `axis` on. @throws where a size is not known */
function elements({ shape }: Value, axis = 0): number {
  return multiplyDims(shape.slice(axis)) as number;
}
