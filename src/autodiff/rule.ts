/** @file What a gradient rule is: from the gradient of a node's output to those of its inputs. */
import type { Node, Value } from '../graph/graph.ts';
import type { OpAttributes, OpType } from '../graph/ops.ts';

/** A node as rules see it. */
export interface Applied<K extends OpType = OpType> {
  /** The inputs; one that ONNX lets be left out may be missing in spite of its type. */
  readonly x: readonly [Value, Value, Value, ...Value[]];
  /** The output. */
  readonly y: Value;
  readonly attr: OpAttributes[K];
}

/**
 * Emits dL/dx of one input, when it is wanted: what nobody asks for is never built. `null` where the
 * operator is not differentiable in that input, or flat wherever it is.
 *
 * The gradient may have any shape that the input broadcasts to; the engine sums over the rest.
 */
export type Gradient = (() => Value) | null;

/** dL/dx for each input, in order, given dy = dL/dy. */
export type Rule<K extends OpType = OpType> = (dy: Value, node: Applied<K>) => readonly Gradient[];

/** A node under the names that rules use. */
export function applied<K extends OpType>(node: Node<K>): Applied<K> {
  return { x: node.inputs as Applied['x'], y: node.output, attr: node.attributes };
}
