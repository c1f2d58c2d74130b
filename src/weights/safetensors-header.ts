/** @file The JSON header of a safetensors file and every check on it (safetensors format, 0.4). */
import { bytesPerElement, type DType } from '../tensor/dtype.ts';
import { FormatError } from '../tensor/errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { quoted } from './quoted.ts';
import { isObject, parseJson } from './strict-json.ts';

/** The format's own bound on the header, in bytes. */
export const largestHeader = 100_000_000;

/** Spelling of the element types in the header. */
export const dtypeNames: ReadonlyMap<string, DType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);

/** A tensor in the file: bytes `start` to `end`, counted from the end of the header. */
interface Placed {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** A checked header. */
export interface Header {
  readonly tensors: ReadonlyMap<string, Placed>;
  /** The strings under `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Parses and checks a header.
 *
 * @param text the header, without the eight bytes of its length
 * @param dataBytes bytes that follow it in the file
 * @param label the file's name, for messages
 * @throws FormatError unless it is a JSON object without duplicate keys whose tensors have a known
 *   type, dtype x shape bytes each, and together fill the data without hole or overlap
 */
export function parseHeader(text: string, dataBytes: number, label: string): Header {
  if (!text.startsWith('{')) {
    throw new FormatError(`${label}: expected a header that starts with "{", got other text.`);
  }
  const json = parseJson(text, `${label}: header`);
  if (!isObject(json)) throw new FormatError(`${label}: expected a JSON object as header.`);
  const tensors = new Map<string, Placed>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = checkMetadata(value, label);
    else tensors.set(name, checkTensor(value, dataBytes, `${label}: tensor ${quoted(name)}`));
  }
  checkCoverage(tensors, dataBytes, label);
  return { tensors, metadata };
}

function checkMetadata(value: unknown, label: string): ReadonlyMap<string, string> {
  if (!isObject(value)) throw new FormatError(`${label}: expected __metadata__ to be an object.`);
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text === 'string') return [key, text];
      throw new FormatError(`${label}: expected a string as metadata ${quoted(key)}.`);
    }),
  );
}

function checkTensor(value: unknown, dataBytes: number, where: string): Placed {
  const fields = isObject(value) ? Object.keys(value).sort().join(' ') : typeof value;
  if (!isObject(value) || fields !== 'data_offsets dtype shape') {
    throw new FormatError(
      `${where}: expected the fields dtype, shape and data_offsets, got ${quoted(fields)}.`,
    );
  }
  const { dtype: spelled, shape, data_offsets: offsets } = value;
  const dtype = dtypeNames.get(String(spelled));
  if (!dtype) {
    const known = [...dtypeNames.keys()].join(', ');
    throw new FormatError(
      `${where}: expected one of the dtypes ${known}, got ${quoted(String(spelled))}.`,
    );
  }
  if (!isSizes(shape) || !Number.isSafeInteger(elementCount(shape))) {
    throw new FormatError(`${where}: expected whole sizes as shape, got ${brief(shape)}.`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw new FormatError(`${where}: expected two ascending data_offsets, got ${brief(offsets)}.`);
  }
  const [start, end] = offsets as [number, number];
  if (end > dataBytes) {
    throw new FormatError(
      `${where}: expected data within ${dataBytes} bytes, got data_offsets ${start} to ${end}.`,
    );
  }
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  if (end - start !== bytes) {
    throw new FormatError(
      `${where}: expected ${bytes} bytes for ${String(spelled)} [${shape.join(', ')}], got ${end - start}.`,
    );
  }
  return { dtype, shape, start, end };
}

/** The tensors, in the order of their data, must follow each other from the first byte to the last. */
function checkCoverage(tensors: ReadonlyMap<string, Placed>, bytes: number, label: string): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let position = 0;
  for (const [name, { start, end }] of inOrder) {
    if (start !== position) {
      const what = start < position ? 'overlaps the one before it' : 'leaves a hole before it';
      throw new FormatError(
        `${label}: tensor ${quoted(name)} ${what}: expected data from ${position}, got ${start}.`,
      );
    }
    position = end;
  }
  if (position !== bytes) {
    throw new FormatError(
      `${label}: expected ${position} bytes of data, got ${bytes}: the file is cut short or has an unnamed tail.`,
    );
  }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
