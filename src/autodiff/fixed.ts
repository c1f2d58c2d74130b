/** @file Weights and constants in the form a gradient wants, made before the run where they are fixed. */
import type { Graph, Value } from '../graph/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Make = (x: Tensor<'float32'>) => Tensor<'float32'>;

/**
 * `make(value)` without a node: as a weight derived from the same tensors of the checkpoint, or as a
 * constant. Undefined when the value is known at run time only.
 *
 * @param label tells the forms of one weight apart
 * @param shape of the result
 */
export function beforehand(
  value: Value,
  label: string,
  shape: readonly number[],
  make: Make,
): Value | undefined {
  const { graph, weight, constant } = value;
  if (constant) return graph.constant(make(constant as Tensor<'float32'>));
  if (!weight) return undefined;
  const name = `${weight.name}:${label}`;
  return derive(graph, name, shape, weight, make);
}

function derive(
  graph: Graph,
  name: string,
  shape: readonly number[],
  { sources, make: first }: NonNullable<Value['weight']>,
  then: Make,
): Value {
  const make = (tensors: readonly Tensor<'float32'>[]): Tensor<'float32'> =>
    then(first ? first(tensors) : tensors[0]!);
  return graph.weight({ name, shape, sources, make });
}

/** Whether a constant holds nothing but `number`. */
export function isAll(value: Value, number: number): boolean {
  return (
    value.constant !== undefined && (value.constant.data as Float32Array).every((v) => v === number)
  );
}
