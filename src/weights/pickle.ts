/** @file A reader of pickles that makes plain values and nothing else (Python's pickle, protocols 2 to 5). */
import { FormatError } from '../tensor/errors.ts';
import { call, isAllowed, storageOf } from './pickle-globals.ts';
import { kindOf, type PickledGlobal, type PickleValue } from './pickle-values.ts';
import { quoted } from './quoted.ts';

/**
 * Operations in one pickle. A tensor takes about 35, so this is some 50,000 tensors; it bounds what
 * a hostile file can make of few bytes, since no operation makes more than a small object.
 */
const mostOperations = 2_000_000;
const longestInteger = 64; // bytes

/** The pickle machine: a stack, the stacks set aside by marks, the memo, and where it reads. */
interface Machine {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  stack: PickleValue[];
  readonly marks: PickleValue[][];
  readonly memo: Map<number, PickleValue>;
  /** Objects of TorchScript classes made so far; undefined where none may be. */
  readonly modules: Set<PickleValue> | undefined;
}

/** What a pickle may hold beyond plain values. */
export interface PickleOptions {
  /** Objects of the classes of a TorchScript archive, as dicts of their attributes. */
  readonly modules?: boolean;
}

/**
 * Reads the pickle at the start of `bytes`.
 *
 * Globals other than those of tensors and plain containers are refused by name; nothing is called
 * but the few builders of `pickle-globals.ts`. Work and memory are bounded by the size of `bytes`
 * and by `mostOperations`, and nothing recurses.
 *
 * @param where names the file, for messages
 * @returns the value; tensors in it are places in the archive, their data unread
 * @throws FormatError when the bytes are no such pickle, with the position of the offending byte
 */
export function readPickle(
  bytes: Uint8Array,
  where = 'pickle',
  options: PickleOptions = {},
): PickleValue {
  return readPickleAt(bytes, 0, where, options).value;
}

/** As `readPickle`, of the pickle at byte `start`; `end` is where the next one would begin. */
export function readPickleAt(
  bytes: Uint8Array,
  start: number,
  where: string,
  { modules = false }: PickleOptions = {},
): { readonly value: PickleValue; readonly end: number } {
  const m: Machine = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: start,
    stack: [],
    marks: [],
    memo: new Map(),
    modules: modules ? new Set() : undefined,
  };
  for (let count = 0; count < mostOperations; count++) {
    const at = m.at;
    try {
      const code = String.fromCharCode(number(m, 1));
      if (code === '.') return { value: pop(m), end: m.at };
      const operation = operations.get(code);
      if (!operation) throw new Error(`unsupported opcode ${quoted(code)}`);
      operation(m);
    } catch (error) {
      throw new FormatError(`${where}: ${reason(error, at)}`, { cause: error });
    }
  }
  throw new FormatError(
    `${where}: expected at most ${mostOperations} operations: no checkpoint of tensors.`,
  );
}

function reason(error: unknown, position: number): string {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RefusedGlobal) {
    return `refused global ${quoted(text)} at byte ${position}. Only tensor globals are read.`;
  }
  // DataView and skip() throw RangeError where the bytes end.
  return `${error instanceof RangeError ? 'is cut short' : text} at byte ${position}.`;
}

/** Its message is the global's name. */
class RefusedGlobal extends Error {}

/** Opcodes of pickletools, by their character; those of protocols 0 and 1 that 2 to 5 never write are left out. */
const operations: ReadonlyMap<string, (m: Machine) => void> = new Map([
  ['\x80', (m) => checkProtocol(number(m, 1))],
  ['\x95', (m) => skip(m, 8)], // FRAME
  // Constants
  ['N', (m) => push(m, null)],
  ['\x88', (m) => push(m, true)],
  ['\x89', (m) => push(m, false)],
  ['K', (m) => push(m, number(m, 1))],
  ['M', (m) => push(m, number(m, 2))],
  ['J', (m) => push(m, number(m, 4) | 0)],
  ['\x8a', (m) => push(m, integer(take(m, number(m, 1))))],
  ['\x8b', (m) => push(m, integer(take(m, number(m, 4))))],
  ['G', (m) => push(m, m.view.getFloat64(skip(m, 8)))],
  // Text and bytes
  ['X', (m) => push(m, text(take(m, number(m, 4))))],
  ['\x8c', (m) => push(m, text(take(m, number(m, 1))))],
  ['\x8d', (m) => push(m, text(take(m, number(m, 8))))],
  ['T', (m) => push(m, text(take(m, number(m, 4))))], // str of Python 2
  ['U', (m) => push(m, text(take(m, number(m, 1))))],
  ['B', (m) => push(m, new Uint8Array(take(m, number(m, 4))))],
  ['C', (m) => push(m, new Uint8Array(take(m, number(m, 1))))],
  ['\x8e', (m) => push(m, new Uint8Array(take(m, number(m, 8))))],
  ['\x96', (m) => push(m, new Uint8Array(take(m, number(m, 8))))], // bytearray
  // Containers
  ['}', (m) => push(m, new Map())],
  [']', (m) => push(m, [])],
  ['\x8f', (m) => push(m, new Set())],
  [')', (m) => push(m, tuple([]))],
  ['\x85', (m) => push(m, tuple(popMany(m, 1)))],
  ['\x86', (m) => push(m, tuple(popMany(m, 2)))],
  ['\x87', (m) => push(m, tuple(popMany(m, 3)))],
  ['t', (m) => push(m, tuple(popMark(m)))],
  ['l', (m) => push(m, popMark(m))],
  ['d', (m) => newDict(m, popMark(m))],
  ['\x91', (m) => push(m, new Set(popMark(m)))],
  ['a', (m) => append(m, popMany(m, 1))],
  ['e', (m) => append(m, popMark(m))],
  ['s', (m) => setItems(m, popMany(m, 2))],
  ['u', (m) => setItems(m, popMark(m))],
  ['\x90', (m) => add(m, popMark(m))],
  // Stack and memo
  ['(', (m) => mark(m)],
  ['0', (m) => void pop(m)],
  ['1', (m) => void popMark(m)],
  ['2', (m) => push(m, top(m))],
  ['q', (m) => put(m, number(m, 1))],
  ['r', (m) => put(m, number(m, 4))],
  ['\x94', (m) => put(m, m.memo.size)],
  ['h', (m) => get(m, number(m, 1))],
  ['j', (m) => get(m, number(m, 4))],
  // Globals and calls
  ['c', (m) => push(m, global(m, line(m), line(m)))],
  ['i', (m) => instance(m)],
  ['\x93', (m) => push(m, stackGlobal(m))],
  ['R', (m) => reduce(m)],
  ['\x81', (m) => newObject(m)],
  ['b', (m) => build(m)],
  ['Q', (m) => push(m, storageOf(pop(m)))],
]);

function checkProtocol(protocol: number): void {
  if (protocol < 2 || protocol > 5) {
    throw new Error(`expected pickle protocol 2 to 5, got ${protocol}`);
  }
}

function push(m: Machine, value: PickleValue): void {
  m.stack.push(value);
}

function pop(m: Machine): PickleValue {
  const value = m.stack.pop();
  if (value === undefined) throw new Error('the stack is empty');
  return value;
}

function popMany(m: Machine, count: number): PickleValue[] {
  if (m.stack.length < count) throw new Error('the stack is empty');
  return m.stack.splice(m.stack.length - count);
}

function top(m: Machine): PickleValue {
  const value = m.stack.at(-1);
  if (value === undefined) throw new Error('the stack is empty');
  return value;
}

function mark(m: Machine): void {
  m.marks.push(m.stack);
  m.stack = [];
}

/** Everything above the last mark. */
function popMark(m: Machine): PickleValue[] {
  const below = m.marks.pop();
  if (!below) throw new Error('there is no mark');
  const above = m.stack;
  m.stack = below;
  return above;
}

function put(m: Machine, index: number): void {
  m.memo.set(index, top(m));
}

function get(m: Machine, index: number): void {
  const value = m.memo.get(index);
  if (value === undefined) throw new Error(`the memo has no ${index}`);
  push(m, value);
}

function tuple(items: PickleValue[]): PickleValue {
  return Object.freeze(items);
}

function append(m: Machine, items: readonly PickleValue[]): void {
  const list = top(m);
  if (!Array.isArray(list) || Object.isFrozen(list)) {
    throw new Error(`expected a list to append to, got ${kindOf(list)}`);
  }
  for (const item of items) list.push(item);
}

function add(m: Machine, items: readonly PickleValue[]): void {
  const set = top(m);
  if (!(set instanceof Set)) throw new Error(`expected a set to add to, got ${kindOf(set)}`);
  for (const item of items) set.add(item);
}

/** Keys and values by turns, put into the dict below them. */
function setItems(m: Machine, items: readonly PickleValue[]): void {
  const dict = top(m);
  if (!(dict instanceof Map)) throw new Error(`expected a dict, got ${kindOf(dict)}`);
  if (items.length % 2) throw new Error('expected pairs of key and value');
  for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
}

function newDict(m: Machine, items: readonly PickleValue[]): void {
  push(m, new Map());
  setItems(m, items);
}

function global(m: Machine, module: string, name: string): PickledGlobal {
  const full = `${module}.${name}`;
  if (!isAllowed(full) && !(m.modules && isModule(full))) throw new RefusedGlobal(full);
  return { kind: 'global', name: full };
}

/** Whether a global is a class of a TorchScript archive, whose code is in the archive and never read. */
function isModule(name: string): boolean {
  return name.startsWith('__torch__.');
}

function stackGlobal(m: Machine): PickledGlobal {
  const [module, name] = popMany(m, 2);
  if (typeof module !== 'string' || typeof name !== 'string') {
    throw new Error('expected the name of a global');
  }
  return global(m, module, name);
}

/** INST, of protocol 0, names a class: read only to refuse it by its name. */
function instance(m: Machine): void {
  throw new Error(`unsupported opcode "i" for ${global(m, line(m), line(m)).name}`);
}

function reduce(m: Machine): void {
  const [callee, args] = popMany(m, 2);
  if (kindOf(callee) !== 'global' || !Array.isArray(args)) {
    throw new Error('expected a global and its arguments');
  }
  push(m, call((callee as PickledGlobal).name, args as readonly PickleValue[]));
}

/** NEWOBJ, of a TorchScript class: a dict that BUILD will fill. */
function newObject(m: Machine): void {
  if (!m.modules) throw new Error(`unsupported opcode ${quoted('\x81')}`);
  const [type] = popMany(m, 2);
  const name = kindOf(type) === 'global' ? (type as PickledGlobal).name : kindOf(type);
  if (!isModule(name)) throw new Error(`expected a class of the script, got ${name}`);
  const object = new Map();
  m.modules.add(object);
  push(m, object);
}

/** BUILD sets attributes: those of an OrderedDict (`_metadata` of a state dict) are left out. */
function build(m: Machine): void {
  const [object, state] = popMany(m, 2);
  if (!(object instanceof Map)) throw new Error(`expected a dict to build, got ${kindOf(object)}`);
  if (m.modules?.has(object)) {
    if (!(state instanceof Map)) throw new Error(`expected attributes, got ${kindOf(state)}`);
    for (const [key, value] of state) object.set(key, value);
  }
  push(m, object);
}

/** Steps over `length` bytes and returns where they begin. */
function skip(m: Machine, length: number): number {
  const start = m.at;
  if (!(start + length <= m.bytes.length)) throw new RangeError();
  m.at += length;
  return start;
}

function take(m: Machine, length: number): Uint8Array {
  const start = skip(m, length);
  return m.bytes.subarray(start, start + length);
}

/** A little-endian unsigned integer of 1, 2, 4 or 8 bytes. */
function number(m: Machine, size: 1 | 2 | 4 | 8): number {
  const at = skip(m, size);
  if (size === 1) return m.view.getUint8(at);
  if (size === 2) return m.view.getUint16(at, true);
  if (size === 4) return m.view.getUint32(at, true);
  return Number(m.view.getBigUint64(at, true));
}

/** A little-endian integer in two's complement, of any length up to a bound. */
function integer(bytes: Uint8Array): number | bigint {
  if (bytes.length > longestInteger) throw new Error('expected an integer of at most 64 bytes');
  const unsigned = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const value = BigInt.asIntN(bytes.length * 8, unsigned);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new Error('expected text in UTF-8', { cause: error });
  }
}

/** A line of text, without its end. */
function line(m: Machine): string {
  const end = m.bytes.indexOf(10, m.at);
  if (end < 0) throw new RangeError();
  const bytes = take(m, end - m.at);
  skip(m, 1);
  return text(bytes);
}
