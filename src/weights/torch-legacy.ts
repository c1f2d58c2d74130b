/** @file Checkpoints of torch.save before 1.6: pickles one after the other, then the storages (github: pytorch/pytorch, serialization.py). */
import { bytesPerElement } from '../tensor/dtype.ts';
import { FormatError } from '../tensor/errors.ts';
import { readPickleAt } from './pickle.ts';
import {
  isDict,
  isList,
  isTensor,
  type PickledStorage,
  type PickleValue,
} from './pickle-values.ts';
import { quoted } from './quoted.ts';
import type { RangeFile } from './range-file.ts';
import { readStrided } from './strided.ts';
import type { TorchFile } from './torch-zip.ts';

/** First value in the file. */
export const legacyMagic = 0x1950a86a20f9469cfc6cn;
/** Second value. */
const protocolVersion = 1001;
/** A storage's number of elements stands before it. */
const countSize = 8;

/**
 * Opens such a checkpoint: five pickles (magic, version, machine, value, keys of storages), then each
 * storage in the order of the keys.
 *
 * @param file which is closed with what is returned
 * @param bytes the beginning of the file, in which the pickles end
 * @throws FormatError when it is damaged, or of a big-endian machine
 */
export async function openLegacy(file: RangeFile, bytes: Uint8Array): Promise<TorchFile> {
  const { label } = file;
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = readPickleAt(bytes, at, `${label}: pickle`);
    at = end;
    return value;
  };
  const [, version, machine, value, keys] = [next(), next(), next(), next(), next()];
  if (version !== protocolVersion) {
    throw new FormatError(`${label}: expected version ${protocolVersion} of torch's old format.`);
  }
  if (isDict(machine) && machine.get('little_endian') === false) {
    throw new FormatError(`${label}: expected little-endian data, got big-endian.`);
  }
  const places = placeStorages(storagesOf(value), keys, at, file);
  return {
    label,
    value,
    close: () => file.close(),
    async read(saved, name) {
      const { key, elements, dtype } = saved.storage;
      const start = places.get(key);
      if (start === undefined) {
        throw new FormatError(`${label}: tensor ${quoted(name)}: its storage is missing.`);
      }
      const count = new DataView((await file.read(start, countSize)).buffer).getBigInt64(0, true);
      if (count !== BigInt(elements)) {
        throw new FormatError(
          `${label}: tensor ${quoted(name)}: expected ${elements} elements of ${dtype}, got ${count}.`,
        );
      }
      return readStrided(saved, (from, length) => file.read(start + countSize + from, length));
    },
  };
}

/** Every storage that tensors of `value` lie in, by key. */
function storagesOf(value: PickleValue): ReadonlyMap<string, PickledStorage> {
  const storages = new Map<string, PickledStorage>();
  const seen = new Set<PickleValue>();
  const waiting = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (isTensor(next)) storages.set(next.storage.key, next.storage);
    else if ((isDict(next) || isList(next)) && !seen.has(next)) {
      seen.add(next);
      for (const item of next.values()) waiting.push(item);
    }
  }
  return storages;
}

/** Where each storage begins, its count included. */
function placeStorages(
  storages: ReadonlyMap<string, PickledStorage>,
  keys: PickleValue | undefined,
  start: number,
  { label, size }: RangeFile,
): ReadonlyMap<string, number> {
  if (!isList(keys)) throw new FormatError(`${label}: expected a list of storages.`);
  const places = new Map<string, number>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage) {
      throw new FormatError(
        `${label}: holds a storage that no tensor lies in, and so of unknown length.`,
      );
    }
    places.set(storage.key, at);
    at += countSize + storage.elements * bytesPerElement(storage.dtype);
  }
  if (at > size) {
    throw new FormatError(
      `${label}: expected ${at} bytes, got a file of ${size} bytes. Download it again.`,
    );
  }
  return places;
}
