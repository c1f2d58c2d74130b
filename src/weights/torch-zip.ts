/** @file Checkpoints of torch.save: a zip of a pickle and its storages (github: pytorch/pytorch, serialization.py). */
import { bytesPerElement } from '../tensor/dtype.ts';
import { FormatError, WeightError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { readPickle } from './pickle.ts';
import {
  isDict,
  isTensor,
  kindOf,
  type PickledDict,
  type PickledTensor,
  type PickleValue,
} from './pickle-values.ts';
import { quoted } from './quoted.ts';
import { openRangeFile } from './range-file.ts';
import type { WeightSource } from './source.ts';
import { readStrided } from './strided.ts';
import { legacyMagic, openLegacy } from './torch-legacy.ts';
import { openZip, type Zip } from './zip.ts';

/** The pickle of a large model has a few hundred kilobytes; tensors' data is elsewhere. */
const largestPickle = 32 * 2 ** 20;
/** Modules of TorchScript may be shared, and by a hostile file in circles. */
const deepestModule = 64;
const mostModules = 100_000;

/** An open checkpoint. */
export interface TorchFile {
  /** The file's name, for messages. */
  readonly label: string;
  /** What was saved. */
  readonly value: PickleValue;
  /** Reads the data of a tensor of `value`, row-major; `name` is for messages. */
  read(saved: PickledTensor, name: string): Promise<Tensor>;
  close(): Promise<void>;
}

/**
 * Opens a checkpoint of torch.save and reads its pickle; tensors are read when asked for.
 *
 * @throws PathError when the file cannot be read
 * @throws FormatError when it is of another kind, names a global that is refused, or is damaged
 */
export async function openTorch(path: string): Promise<TorchFile> {
  const other = await openOtherPickle(path);
  if (other) return other;
  const zip = await openZip(path);
  try {
    const { prefix, value } = await readValue(zip);
    return {
      label: zip.label,
      value,
      close: () => zip.close(),
      read: (saved, name) => readTensor(zip, prefix, saved, name),
    };
  } catch (error) {
    await zip.close();
    throw error;
  }
}

/**
 * Opens a checkpoint that holds one model: a dict of tensors, or one under `state_dict` or `model`.
 *
 * @throws FormatError as `openTorch`
 * @throws WeightError when it holds anything else; the message says what
 */
export async function openTorchWeights(path: string): Promise<WeightSource> {
  const file = await openTorch(path);
  try {
    const saved = tensorsOf(file.value, file.label);
    return {
      label: file.label,
      entries: new Map(
        [...saved].map(([key, { storage, shape }]) => [key, { dtype: storage.dtype, shape }]),
      ),
      close: () => file.close(),
      async read(key) {
        const place = saved.get(key);
        if (!place) throw new WeightError(`${file.label}: has no tensor ${quoted(key)}.`);
        return file.read(place, key);
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Keys under which training programs save a model beside other things. */
const levels = ['state_dict', 'model'];

/** The tensors of a dict, or of the model in it, by their names; `where` is for messages. */
export function tensorsOf(
  value: PickleValue | undefined,
  where: string,
): ReadonlyMap<string, PickledTensor> {
  if (!isDict(value)) {
    throw new WeightError(`${where}: expected a dict of tensors, got ${kindOf(value)}.`);
  }
  const inner = levels.map((level) => value.get(level)).find(isDict);
  const tensors = new Map<string, PickledTensor>();
  for (const [key, item] of inner ?? value) {
    if (typeof key !== 'string' || !isTensor(item)) {
      throw new WeightError(
        `${where}: expected only tensors, got ${kindOf(item)} as ${quoted(typeof key === 'string' ? key : kindOf(key))}.`,
      );
    }
    tensors.set(key, item);
  }
  return tensors;
}

/** The pickle is the one entry `<name>/data.pkl`; `<name>/` is what all others begin with. */
async function readValue(zip: Zip): Promise<{ prefix: string; value: PickleValue }> {
  const { label } = zip;
  const pickles = [...zip.sizes.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new FormatError(
      `${label}: expected one data.pkl, as torch.save writes, got ${pickles.length}.`,
    );
  }
  const name = pickles[0]!;
  const prefix = name.slice(0, -'data.pkl'.length);
  const modules = zip.sizes.has(`${prefix}constants.pkl`); // of TorchScript
  await checkByteOrder(zip, `${prefix}byteorder`);
  const size = zip.sizes.get(name)!;
  if (size > largestPickle) {
    throw new FormatError(
      `${label}: expected a pickle of at most ${largestPickle} bytes, got ${size}.`,
    );
  }
  const bytes = await zip.read(name, 0, size);
  const value = readPickle(bytes, `${label}: pickle`, { modules });
  return { prefix, value: modules && isDict(value) ? flattened(value, label) : value };
}

/**
 * The tensors of a TorchScript module and of the modules in it, by dotted names; its other attributes
 * are left out, and its code is never looked at.
 */
function flattened(module: PickledDict, label: string): PickledDict {
  const tensors = new Map<string, PickledTensor>();
  const waiting: (readonly [path: readonly string[], module: PickledDict])[] = [[[], module]];
  let visited = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [path, attributes] = next;
    if (path.length > deepestModule || ++visited > mostModules) {
      throw new FormatError(`${label}: expected a tree of modules, got one without end.`);
    }
    for (const [key, value] of attributes) {
      if (typeof key !== 'string') continue;
      const here = [...path, key];
      if (isTensor(value)) tensors.set(here.join('.'), value);
      else if (isDict(value)) waiting.push([here, value]);
    }
  }
  return tensors;
}

async function checkByteOrder(zip: Zip, name: string): Promise<void> {
  const size = zip.sizes.get(name);
  if (size === undefined) return; // files before torch 2.1 do not say; all machines then in use agree
  const order = new TextDecoder().decode(await zip.read(name, 0, Math.min(size, 16)));
  if (order !== 'little') {
    throw new FormatError(`${zip.label}: expected little-endian data, got ${quoted(order)}.`);
  }
}

async function readTensor(
  zip: Zip,
  prefix: string,
  saved: PickledTensor,
  name: string,
): Promise<Tensor> {
  const { dtype, key, elements } = saved.storage;
  const entry = `${prefix}data/${key}`;
  const size = elements * bytesPerElement(dtype);
  const stored = zip.sizes.get(entry);
  if (stored !== size) {
    throw new FormatError(
      `${zip.label}: tensor ${quoted(name)}: expected ${size} bytes of ${dtype} in ${quoted(entry)}, got ${stored ?? 'no such entry'}.`,
    );
  }
  return readStrided(saved, (start, length) => zip.read(entry, start, length));
}

/**
 * A file that is no zip may be one of torch before 1.6, or a pickle by itself: then what it names is
 * more telling than that it is no zip.
 */
async function openOtherPickle(path: string): Promise<TorchFile | undefined> {
  const file = await openRangeFile(path);
  let kept = false;
  try {
    const head = await file.read(0, Math.min(file.size, 200));
    const opensWithGlobal = /^c[\w.]+\n[\w.]+\n/.test(String.fromCharCode(...head)); // protocol 0
    if (head[0] !== 0x80 && !opensWithGlobal) return undefined;
    const bytes = await file.read(0, Math.min(file.size, largestPickle));
    const value = readPickle(bytes, `${file.label}: pickle`);
    if (value === legacyMagic) {
      const legacy = await openLegacy(file, bytes);
      kept = true;
      return legacy;
    }
    throw new FormatError(
      `${file.label}: expected a zip of torch.save, got a bare pickle of ${kindOf(value)}.`,
    );
  } finally {
    if (!kept) await file.close();
  }
}
