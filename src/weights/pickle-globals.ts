/** @file The globals a pickle may name, and what a call of each makes; nothing of Python ever runs. */
import type { DType } from '../tensor/dtype.ts';
import { elementCount } from '../tensor/tensor.ts';
import {
  isList,
  isTensor,
  kindOf,
  type PickledGlobal,
  type PickledStorage,
  type PickledTensor,
  type PickleValue,
} from './pickle-values.ts';

/** Makes a value of a call's arguments; throws a plain Error whose text the reader completes. */
type Build = (args: readonly PickleValue[]) => PickleValue;

/** Element type of each typed storage of torch. */
const storages: ReadonlyMap<string, DType> = new Map([
  ['torch.DoubleStorage', 'float64'],
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
  ['torch.ShortStorage', 'int16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.BoolStorage', 'bool'],
]);

/** Sets and bytes have no opcode before protocol 3 and 4, and so come as calls. */
const builds: ReadonlyMap<string, Build> = new Map([
  ['torch._utils._rebuild_tensor', buildTensor], // of torch before 0.4
  ['torch._utils._rebuild_tensor_v2', buildTensor],
  ['torch._utils._rebuild_parameter', buildParameter],
  ['collections.OrderedDict', buildDict],
  ['__builtin__.set', buildSet],
  ['builtins.set', buildSet],
  ['__builtin__.bytes', buildEmptyBytes],
  ['builtins.bytes', buildEmptyBytes],
  ['_codecs.encode', buildBytes],
]);

/** Whether a pickle may name the global `name`, such as `torch.FloatStorage`. */
export function isAllowed(name: string): boolean {
  return storages.has(name) || builds.has(name);
}

/**
 * What the call `name(...args)` makes.
 *
 * @throws Error whose text says what was expected
 */
export function call(name: string, args: readonly PickleValue[]): PickleValue {
  const build = builds.get(name);
  if (!build) throw new Error(`expected a function to call, got ${name}`);
  return build(args);
}

/**
 * The storage that a persistent id `('storage', type, key, location, elements)` stands for. Files of
 * torch before 1.6 add a view, which is None but in files of the very first versions.
 *
 * @throws Error whose text says what was expected
 */
export function storageOf(id: PickleValue | undefined): PickledStorage {
  if (isList(id) && (id.length === 5 || id.length === 6) && id[0] === 'storage') {
    const [, type, key, device, elements, view = null] = id;
    if (view !== null) throw new Error('expected a storage, got a view of one');
    const dtype = storages.get(globalName(type));
    if (dtype && typeof key === 'string' && typeof device === 'string' && isSize(elements)) {
      return { kind: 'storage', dtype, key, elements, device };
    }
  }
  throw new Error('expected the persistent id of a typed storage');
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`. */
function buildTensor([storage, offset, shape, strides]: readonly PickleValue[]): PickledTensor {
  if (kindOf(storage) !== 'storage') throw new Error(`expected a storage, got ${kindOf(storage)}`);
  if (!isSize(offset) || !isSizes(shape) || !isSizes(strides) || shape.length !== strides.length) {
    throw new Error('expected whole numbers as offset, sizes and strides of a tensor');
  }
  const { elements } = storage as PickledStorage;
  const count = elementCount(shape);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset);
  // A tensor of more elements than it has stored (strides of 0) could claim any amount of memory.
  if (count > elements || (count > 0 && last >= elements)) {
    throw new Error(`expected [${shape.join(', ')}] within a storage of ${elements} elements`);
  }
  return { kind: 'tensor', storage: storage as PickledStorage, offset, shape, strides };
}

/** `_rebuild_parameter(data, requires_grad, backward_hooks)`: a parameter is its tensor. */
function buildParameter([data]: readonly PickleValue[]): PickledTensor {
  if (!isTensor(data)) throw new Error(`expected a tensor, got ${kindOf(data)}`);
  return data;
}

/** `OrderedDict()` or, of Python 2, `OrderedDict([[key, value], ...])`. */
function buildDict([pairs = []]: readonly PickleValue[]): PickleValue {
  if (!isList(pairs) || !pairs.every((pair) => isList(pair) && pair.length === 2)) {
    throw new Error('expected a list of pairs');
  }
  return new Map(pairs as [PickleValue, PickleValue][]);
}

function buildSet([items = []]: readonly PickleValue[]): PickleValue {
  if (!isList(items)) throw new Error(`expected a list, got ${kindOf(items)}`);
  return new Set(items);
}

function buildEmptyBytes(args: readonly PickleValue[]): PickleValue {
  if (args.length > 0) throw new Error('expected no arguments');
  return new Uint8Array();
}

/** `encode(text, 'latin1')`: bytes, as protocol 2 spells them. */
function buildBytes([text, encoding]: readonly PickleValue[]): PickleValue {
  if (typeof text !== 'string' || encoding !== 'latin1') throw new Error('expected latin1 text');
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function globalName(value: PickleValue | undefined): string {
  return kindOf(value) === 'global' ? (value as PickledGlobal).name : '';
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: PickleValue | undefined): value is readonly number[] {
  return (
    isList(value) &&
    value.length <= 32 &&
    value.every(isSize) &&
    Number.isSafeInteger(elementCount(value))
  );
}
