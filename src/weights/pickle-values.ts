/** @file What a pickle may hold here: plain containers, and tensors as places in the file. */
import type { DType } from '../tensor/dtype.ts';

/** A typed storage of torch.save: a run of elements in an entry of the archive. */
export interface PickledStorage {
  readonly kind: 'storage';
  readonly dtype: DType;
  /** Its name in the archive, below `data/`. */
  readonly key: string;
  readonly elements: number;
  /** The device that saved it, such as `cuda:0`; of no consequence for reading. */
  readonly device: string;
}

/** A tensor over a storage. Offset and strides count elements. */
export interface PickledTensor {
  readonly kind: 'tensor';
  readonly storage: PickledStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The name of one of the few functions and types that are read. */
export interface PickledGlobal {
  readonly kind: 'global';
  readonly name: string;
}

/** A dict or OrderedDict, in the order of insertion. */
export type PickledDict = ReadonlyMap<PickleValue, PickleValue>;

/** Any value. Lists and tuples are arrays (tuples frozen ones), bytes a Uint8Array. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | PickledDict
  | ReadonlySet<PickleValue>
  | PickledStorage
  | PickledTensor
  | PickledGlobal;

/** Whether `value` is a dict. */
export function isDict(value: PickleValue | undefined): value is PickledDict {
  return value instanceof Map;
}

/** Whether `value` is a list or tuple. */
export function isList(value: PickleValue | undefined): value is readonly PickleValue[] {
  return Array.isArray(value);
}

/** Whether `value` is a tensor. */
export function isTensor(value: PickleValue | undefined): value is PickledTensor {
  return kindOf(value) === 'tensor';
}

/** Python's name of the type of `value`, for messages. */
export function kindOf(value: PickleValue | undefined): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  if (typeof value === 'string') return 'str';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Map) return 'dict';
  if (value instanceof Set) return 'set';
  if (Array.isArray(value)) return Object.isFrozen(value) ? 'tuple' : 'list';
  return (value as PickledStorage | PickledTensor | PickledGlobal).kind;
}
