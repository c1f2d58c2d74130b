/**
 * @file What onnxruntime 1.30's CUDA provider has kernels for, with which attributes and types: each was
 * tried on the real provider (docs/devices.md). What a row forbids fails at run, or falls to the processor.
 */
import type { Node } from '../../src/graph/graph.ts';
import type { OpType } from '../../src/graph/ops.ts';

/** What is wrong with a node; undefined when its kernel takes it. */
type Rule<K extends OpType> = (node: Node<K>) => string | undefined;

const any: Rule<OpType> = () => undefined;

const float: Rule<OpType> = ({ inputs }) => {
  const dtype = inputs[0]!.dtype;
  return ['float32', 'float16'].includes(dtype) ? undefined : `has no kernel for ${dtype}`;
};

/** Rows for what has conditions. */
const rules: { readonly [K in OpType]?: Rule<K> } = {
  GroupNorm: ({ inputs: [x, gamma, beta], attributes }) => {
    const { groups, channels_last, activation } = attributes;
    if (channels_last !== 1) return 'needs channels_last';
    if (![0, 1].includes(activation)) return 'has SiLU or nothing';
    if (x!.shape.length !== 4) return 'needs a picture';
    if (((x!.shape[3] as number) / groups) % 2 !== 0) return 'needs pairs of channels in a group';
    return gamma!.dtype === 'float32' && beta!.dtype === 'float32'
      ? undefined
      : 'needs float32 gains';
  },
  NhwcConv: ({ inputs: [x, w], attributes }) => {
    const { kernel_shape, group } = attributes;
    if (group !== 1) return 'is used in one group';
    if (x!.dtype !== w!.dtype) return 'needs a picture and kernels of one type';
    return kernel_shape.join() === w!.shape.slice(1, 3).join() ? undefined : 'needs kernel_shape';
  },
  Attention: ({ inputs, attributes }) => {
    const { q_num_heads: q, kv_num_heads: kv } = attributes;
    if (inputs.length !== 3 || inputs.some((x) => x!.shape.length !== 3)) return 'needs [B, N, C]';
    return q === kv ? undefined : 'needs as many heads of q as of k';
  },
  Slice: any,
  Cast: any,
  Gather: any,
  Reshape: any,
  Shape: any,
  Transpose: any,
  Concat: any,
  Expand: any,
  Identity: any,
};

/** Operators with a kernel for float32 and float16, whatever their attributes. */
const plain: ReadonlySet<OpType> = new Set<OpType>(
  // prettier-ignore
  ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Log', 'Erf', 'Tanh',
   'Sigmoid', 'Relu', 'LeakyRelu', 'Softplus', 'Gelu', 'QuickGelu', 'Pad', 'SpaceToDepth', 'DepthToSpace',
   'Resize', 'ReduceSum', 'ReduceMean', 'ReduceMax', 'MatMul', 'Softmax', 'Conv', 'MaxPool', 'AveragePool',
   'InstanceNormalization', 'LayerNormalization'],
);

/** Why a node would not run on CUDA as it stands. */
export function faultOnCuda(node: Node): string | undefined {
  const rule =
    (rules[node.op] as Rule<OpType> | undefined) ?? (plain.has(node.op) ? float : undefined);
  const fault = rule ? rule(node) : 'has no kernel, or one that is not to be used';
  return fault && `${node.name} ${fault}`;
}
