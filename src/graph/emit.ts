/** @file Writes a finished graph as an ONNX model whose weights are kept apart. */
import {
  attributeTypes,
  type AttributeProto,
  dataTypes,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../onnx/model.ts';
import { bytesPerElement, type DType } from '../tensor/dtype.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import type { Graph, Node, Value, Weight } from './graph.ts';
import { attributeKinds } from './ops.ts';
import { contribOps, newOps } from './providers.ts';

/** A weight and where its bytes belong in the file beside the model. */
export interface PlacedWeight {
  readonly weight: Weight;
  readonly dtype: 'float32' | 'float16';
  readonly offset: number;
  readonly length: number;
}

export interface EmitOptions {
  /** What weights are stored as; float16 is widened to float32 where it is used. */
  readonly weights?: 'float32' | 'float16';
  /** The file, beside the model, that will hold the weights. */
  readonly file: string;
}

export interface Emitted {
  readonly model: ModelProto;
  readonly weights: readonly PlacedWeight[];
  /** Bytes of the weights' file. */
  readonly length: number;
}

/** Weights start at multiples of this, so that they can be mapped into memory. */
const alignment = 4096;
/** Smaller weights are packed closer. */
const smallAlignment = 64;

/** Emits the part of the graph that its outputs need. */
export function emit(graph: Graph, options: EmitOptions): Emitted {
  const nodes = neededNodes(graph);
  const used = new Set(
    nodes.flatMap((node) => node.inputs.filter((x) => x !== undefined).map(resolve)),
  );
  for (const value of graph.outputs.values()) used.add(resolve(value));
  const { placed, length } = place(
    [...graph.weights.values()].filter((w) => used.has(w)),
    options,
  );
  const half = new Set(
    placed.filter((p) => p.dtype === 'float16').map((p) => graph.weights.get(p.weight.name)!),
  );
  const named = outputNames(graph);
  const nameOf = (value: Value): string => named.get(value) ?? value.name;
  const proto: NodeProto[] = [...half].map(widen);
  proto.push(...nodes.map((node) => nodeProto(node, nameOf)));
  for (const [name, value] of graph.outputs) {
    const input = nameOf(resolve(value));
    if (input === name) continue;
    proto.push({
      name: `output/${name}`,
      opType: 'Identity',
      input: [input],
      output: [name],
      attribute: [],
    });
  }
  const constants = [...used].filter((value) => value.constant !== undefined);
  const model: ModelProto = {
    irVersion: 10,
    producerName: 'osediff',
    opsetImport: [
      { domain: '', version: nodes.some(({ op }) => newOps.has(op)) ? 23 : 21 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'osediff',
      node: proto,
      initializer: [
        ...constants.map((value) => constantProto(value.name, value.constant!)),
        ...placed.map((p) =>
          externalProto(p, options.file, half.has(graph.weights.get(p.weight.name)!)),
        ),
      ],
      input: graph.inputs.filter((value) => used.has(value)).map((v) => valueInfo(v.name, v)),
      output: [...graph.outputs].map(([name, value]) => valueInfo(name, value)),
    },
  };
  return { model, weights: placed, length };
}

/**
 * Computed values that are outputs bear the output's name. An Identity in between, which inputs and
 * second names need, breaks onnxruntime 1.30 where a Pad reads the same value: its optimizer leaves
 * the Pad's convolution with the name that the Identity's removal has taken away.
 */
function outputNames(graph: Graph): ReadonlyMap<Value, string> {
  const names = new Map<Value, string>();
  for (const [name, value] of graph.outputs) {
    const source = resolve(value);
    if (source.node && !names.has(source)) names.set(source, name);
  }
  return names;
}

/** The nodes that the outputs need, each after those it takes from. */
function neededNodes(graph: Graph): Node[] {
  const order: Node[] = [];
  const done = new Set<Node>();
  const stack = [...graph.outputs.values()].reverse().map((value) => resolve(value).node);
  while (stack.length > 0) {
    const node = stack.at(-1);
    if (node === undefined || done.has(node)) {
      stack.pop();
      continue;
    }
    const before = stack.length;
    for (const input of node.inputs.toReversed()) {
      const giver = input && resolve(input).node;
      if (giver && !done.has(giver)) stack.push(giver);
    }
    if (stack.length > before) continue;
    done.add(node);
    order.push(node);
    stack.pop();
  }
  return order;
}

/** What stands behind a linked input. */
function resolve(value: Value): Value {
  const to = value.graph.links.get(value);
  return to ? resolve(to) : value;
}

function place(
  values: readonly Value[],
  { weights = 'float32' }: EmitOptions,
): { placed: PlacedWeight[]; length: number } {
  let end = 0;
  const placed = values.map((value) => {
    const weight = value.weight!;
    // Vectors stay float32: they are small, and norms and biases feel the rounding most.
    const dtype = weight.shape.length > 1 ? weights : 'float32';
    const length = elementCount(weight.shape) * bytesPerElement(dtype);
    const step = length >= alignment ? alignment : smallAlignment;
    const offset = Math.ceil(end / step) * step;
    end = offset + length;
    return { weight, dtype, offset, length };
  });
  return { placed, length: end };
}

const stored = (name: string): string => `${name}:float16`;

function widen({ name }: Value): NodeProto {
  return {
    name: `${name}/widen`,
    opType: 'Cast',
    input: [stored(name)],
    output: [name],
    attribute: [{ name: 'to', type: attributeTypes.int, i: dataTypes.float32 }],
  };
}

function nodeProto(node: Node, nameOf: (value: Value) => string): NodeProto {
  return {
    name: node.name,
    opType: node.op,
    ...(contribOps.has(node.op) ? { domain: 'com.microsoft' } : {}),
    input: node.inputs.map((value) => (value ? nameOf(resolve(value)) : '')),
    output: [nameOf(node.output)],
    attribute: Object.entries(node.attributes).map(([key, value]) => attributeProto(key, value)),
  };
}

function attributeProto(name: string, value: unknown): AttributeProto {
  const kind = attributeKinds[name]!;
  const type = attributeTypes[kind];
  if (kind === 'int') return { name, type, i: value as number };
  if (kind === 'float') return { name, type, f: value as number };
  if (kind === 'ints') return { name, type, ints: value as readonly number[] };
  return { name, type, s: new TextEncoder().encode(value as string) };
}

function constantProto(name: string, { dtype, shape, data }: Tensor): TensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dataType: dataTypes[dtype], dims: shape, rawData };
}

function externalProto(
  { weight, dtype, offset, length }: PlacedWeight,
  file: string,
  half: boolean,
): TensorProto {
  return {
    name: half ? stored(weight.name) : weight.name,
    dataType: dataTypes[dtype as DType],
    dims: weight.shape,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: file },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ],
  };
}

function valueInfo(name: string, { dtype, shape }: Value): ValueInfoProto {
  const dim = shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: dataTypes[dtype], shape: { dim } } } };
}
