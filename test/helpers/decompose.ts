/**
 * @file Takes CUDA's fused operators apart, so that a model in CUDA's form runs on the processor: their
 * definitions, written down a second time from onnxruntime's operator docs.
 */
import { type ReadWeight, selfContained } from '../../src/graph/bind.ts';
import { emit } from '../../src/graph/emit.ts';
import type { Graph } from '../../src/graph/graph.ts';
import {
  attributeTypes,
  dataTypes,
  decodeModel,
  encodeModel,
  type ModelProto,
  type NodeProto,
} from '../../src/onnx/model.ts';
import { createSession, type Session } from '../../src/runtime/session.ts';

/** The model with com.microsoft.GroupNorm and NhwcConv in ONNX's own operators. */
export function decompose(model: ModelProto): ModelProto {
  const { graph } = model;
  const initializer = [...graph.initializer];
  const constant = (name: string, values: readonly number[], int: boolean): string => {
    const data = int ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
    const rawData = new Uint8Array(data.buffer);
    const dataType = int ? dataTypes.int64 : dataTypes.float32;
    initializer.push({ name, dataType, dims: [values.length], rawData });
    return name;
  };
  const node = graph.node.flatMap((n) => {
    if (n.opType === 'GroupNorm') return groupNorm(n, constant);
    return n.opType === 'NhwcConv' ? nhwcConv(n) : [n];
  });
  return { ...model, graph: { ...graph, node, initializer } };
}

const first = [0, 3, 1, 2];
const last = [0, 2, 3, 1];

function make(
  name: string,
  opType: string,
  input: string[],
  attribute: NodeProto['attribute'] = [],
): NodeProto {
  return { name, opType, input, output: [name], attribute };
}

function transpose(name: string, input: string, perm: readonly number[]): NodeProto {
  return make(
    name,
    'Transpose',
    [input],
    [{ name: 'perm', type: attributeTypes.ints, ints: perm }],
  );
}

function attribute(n: NodeProto, name: string): NodeProto['attribute'][number] {
  return n.attribute.find((a) => a.name === name)!;
}

/** y = γ·(x - mean) / sqrt(var + ε) + β over the channels of a group and all pixels, then SiLU. */
function groupNorm(
  n: NodeProto,
  constant: (name: string, values: readonly number[], int: boolean) => string,
): NodeProto[] {
  const at = (part: string): string => `${n.name}:${part}`;
  const [x, gamma, beta] = n.input as [string, string, string];
  const groups = attribute(n, 'groups').i!;
  const many = (value: number): number[] => Array.from({ length: groups }, () => value);
  const epsilon = attribute(n, 'epsilon');
  const nodes = [
    make(at('wide'), 'Cast', [x], [{ name: 'to', type: attributeTypes.int, i: dataTypes.float32 }]),
    transpose(at('first'), at('wide'), first),
    make(at('shape'), 'Shape', [at('first')]),
    make(at('grouped'), 'Reshape', [at('first'), constant(at('to'), [0, groups, -1], true)]),
    make(
      at('normal'),
      'InstanceNormalization',
      [at('grouped'), constant(at('one'), many(1), false), constant(at('zero'), many(0), false)],
      [epsilon],
    ),
    make(at('back'), 'Reshape', [at('normal'), at('shape')]),
    transpose(at('last'), at('back'), last),
    make(at('scaled'), 'Mul', [at('last'), gamma]),
    make(at('moved'), 'Add', [at('scaled'), beta]),
  ];
  if (Number(attribute(n, 'activation').i) === 0) {
    return [...nodes, { ...make(n.name, 'CastLike', [at('moved'), x]), output: n.output }];
  }
  return [
    ...nodes,
    make(at('gate'), 'Sigmoid', [at('moved')]),
    make(at('active'), 'Mul', [at('moved'), at('gate')]),
    { ...make(n.name, 'CastLike', [at('active'), x]), output: n.output },
  ];
}

/** Conv between transpositions of picture and kernels. */
function nhwcConv(n: NodeProto): NodeProto[] {
  const at = (part: string): string => `${n.name}:${part}`;
  const [x, w, ...bias] = n.input as [string, string];
  return [
    transpose(at('x'), x, first),
    transpose(at('w'), w, first),
    make(at('y'), 'Conv', [at('x'), at('w'), ...bias], n.attribute),
    { ...transpose(n.name, at('y'), last), output: n.output },
  ];
}

/** A session on the processor of a graph in CUDA's form. */
export async function decomposedSession(graph: Graph, read: ReadWeight): Promise<Session> {
  const bytes = await selfContained(emit(graph, { file: 'weights' }), read);
  return createSession(encodeModel(decompose(decodeModel(bytes))), { threads: 1 });
}
