/** @file Writes and reads ONNX model files (https://onnx.ai, IR version 10) with protobufjs. */
import protobuf from 'protobufjs';
import type { DType } from '../tensor/dtype.ts';
import { FormatError } from '../tensor/errors.ts';
import { schema } from './onnx-schema.ts';

/** `TensorProto.DataType`, by this project's names. */
export const dataTypes: { readonly [D in DType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** `AttributeProto.AttributeType`. */
export const attributeTypes = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  floats?: readonly number[];
  ints?: readonly number[];
}

export interface NodeProto {
  name: string;
  opType: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: AttributeProto[];
}

/** A tensor in the file (`rawData`, little-endian) or beside it (`externalData`, `dataLocation` 1). */
export interface TensorProto {
  name: string;
  dataType: number;
  dims: readonly number[];
  rawData?: Uint8Array;
  dataLocation?: number;
  externalData?: { key: string; value: string }[];
}

export interface ValueInfoProto {
  name: string;
  type: {
    tensorType: { elemType: number; shape: { dim: { dimValue?: number; dimParam?: string }[] } };
  };
}

export interface ModelProto {
  irVersion: number;
  producerName: string;
  opsetImport: { domain: string; version: number }[];
  graph: {
    name: string;
    node: NodeProto[];
    initializer: TensorProto[];
    input: ValueInfoProto[];
    output: ValueInfoProto[];
  };
}

let modelType: protobuf.Type | undefined;

/** Parsed once, at first use: it costs a few ms. */
function type(): protobuf.Type {
  return (modelType ??= protobuf.Root.fromJSON(
    JSON.parse(schema) as protobuf.INamespace,
  ).lookupType('onnx.ModelProto'));
}

/** The bytes of a model file. Tensors over 2 GB must be external: protobuf holds no more. */
export function encodeModel(model: ModelProto): Uint8Array {
  return type().encode(model).finish();
}

/**
 * Reads a model file back.
 *
 * @throws FormatError when the bytes are not protobuf.
 */
export function decodeModel(bytes: Uint8Array, file = 'model'): ModelProto {
  try {
    return type().toObject(type().decode(bytes), {
      longs: Number,
      arrays: true,
    }) as unknown as ModelProto;
  } catch (cause) {
    throw new FormatError(`${file}: expected an ONNX model, got bytes that do not parse.`, {
      cause,
    });
  }
}
