/**
 * @file Keeps pictures channels-last on CUDA, whose convolutions and norms want them so.
 *
 * Networks are written for `[N, C, H, W]`. A layer that computes `[N, H, W, C]` gives its result as a
 * transposition of it; whoever can go on channels-last looks through the transposition, which is then
 * needed by nobody and not emitted. Here operators that do not care about the layout do the same.
 */
import { float32, type Tensor, tensor } from '../tensor/tensor.ts';
import type { Graph, Value } from './graph.ts';
import type { OpAttributes, OpType } from './ops.ts';

/** `[N, C, H, W]` to `[N, H, W, C]`, and back. */
const toLast = [0, 2, 3, 1];
const toFirst = [0, 3, 1, 2];

/** A picture `[N, C, H, W]` as `[N, H, W, C]`. */
export function channelsLast(x: Value): Value {
  return x.graph.add('Transpose', [x], { perm: toLast });
}

/** A picture `[N, H, W, C]` as `[N, C, H, W]`. */
export function channelsFirst(y: Value): Value {
  return y.graph.add('Transpose', [y], { perm: toFirst });
}

/** What lies channels-last behind `x`; undefined where it is computed channels-first. */
export function behind(x: Value | undefined): Value | undefined {
  const node = x?.node;
  if (node?.op !== 'Transpose') return undefined;
  const { perm } = node.attributes as OpAttributes['Transpose'];
  return perm.join() === toFirst.join() ? node.inputs[0] : undefined;
}

/** Operators that compute element by element. */
const elementwise: ReadonlySet<OpType> = new Set<OpType>(
  // prettier-ignore
  ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Neg', 'Exp', 'Tanh', 'Sigmoid', 'Relu', 'LeakyRelu',
   'Gelu', 'QuickGelu', 'Cast', 'Identity'],
);

/**
 * What an operator computes, channels-last, where its inputs are so; undefined where the operator is to
 * be added as it stands.
 */
export function keepChannelsLast<K extends OpType>(
  graph: Graph,
  op: K,
  inputs: readonly (Value | undefined)[],
  attributes: OpAttributes[K],
): Value | undefined {
  if (op === 'Transpose') return cancelled(inputs[0]!, attributes as OpAttributes['Transpose']);
  const x = behind(inputs[0]) ?? behind(inputs[1]);
  if (!x) return undefined;
  const moved = elementwise.has(op)
    ? inputs.map(broadcastLast)
    : arguments_(op, inputs, attributes);
  if (!moved?.every((value, i) => (value === undefined) === (inputs[i] === undefined))) {
    return undefined;
  }
  const axis = op === 'Concat' ? { axis: 3 } : {};
  return channelsFirst(graph.add(op, moved, { ...attributes, ...axis }));
}

/** Two transpositions that undo each other are none. */
function cancelled(x: Value, { perm }: OpAttributes['Transpose']): Value | undefined {
  if (x.node?.op !== 'Transpose') return undefined;
  const before = (x.node.attributes as OpAttributes['Transpose']).perm;
  return perm.every((axis, i) => before[axis] === i) ? x.node.inputs[0] : undefined;
}

/** An operand of elementwise operators for `[N, H, W, C]`; undefined for what cannot be one. */
function broadcastLast(x: Value | undefined): Value | undefined {
  if (!x) return undefined;
  const last = behind(x);
  if (last) return last;
  if (x.shape.every((size) => size === 1)) return x.shape.length <= 1 ? x : undefined;
  // A vector as a column [C, 1, 1], or rows as [N, C, 1, 1].
  const { node } = x;
  const source = node?.op === 'Reshape' ? node.inputs[0]! : undefined;
  const isColumn = x.shape.slice(-2).every((size) => size === 1);
  if (!source || !isColumn || source.shape.join() !== x.shape.slice(0, -2).join()) return undefined;
  if (source.shape.length === 1) return source;
  if (source.shape.length !== 2) return undefined;
  const target = [0, 1, 1, source.shape[1] as number];
  return source.shape[0] === x.shape[0] && typeof source.shape[0] === 'number'
    ? source.graph.add(
        'Reshape',
        [source, ints(source.graph, [source.shape[0], ...target.slice(1)])],
        {},
      )
    : undefined;
}

/** Inputs of operators that name axes. */
function arguments_<K extends OpType>(
  op: K,
  inputs: readonly (Value | undefined)[],
  attributes: OpAttributes[K],
): readonly (Value | undefined)[] | undefined {
  const [x, ...rest] = inputs;
  const { graph } = x!;
  if (op === 'Concat') {
    const { axis } = attributes as OpAttributes['Concat'];
    return axis === 1 ? inputs.map(behind) : undefined;
  }
  const last = behind(x);
  if (!last) return undefined;
  if (op === 'Slice') {
    const [starts, ends, axes, steps] = rest;
    const moved = numbers(axes).map((axis) => toLast.indexOf(axis));
    return [last, starts, ends, ints(graph, moved), steps];
  }
  if (op === 'Pad') {
    const pads = numbers(rest[0]);
    const side = (from: number): number[] => toLast.map((axis) => pads[from + axis]!);
    return [last, ints(graph, [...side(0), ...side(4)]), ...rest.slice(1)];
  }
  if (op === 'Resize') {
    const [roi, scales, sizes] = rest;
    const turned = scales && toLast.map((axis) => (scales.constant!.data as Float32Array)[axis]!);
    return [
      last,
      roi,
      turned && graph.constant(float32([4], turned)),
      ...(sizes
        ? [
            ints(
              graph,
              toLast.map((axis) => numbers(sizes)[axis]!),
            ),
          ]
        : []),
    ];
  }
  return undefined;
}

function numbers(value: Value | undefined): readonly number[] {
  return Array.from((value!.constant as Tensor<'int64'>).data, Number);
}

function ints(graph: Graph, values: readonly number[]): Value {
  const data = BigInt64Array.from(values, (value) => BigInt(value));
  return graph.constant(tensor('int64', [values.length], data));
}
