/** @file Turns a graph into a model that onnxruntime can load: in memory when small, else in a cache. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bindWeights, type ReadWeight, selfContained } from '../graph/bind.ts';
import { emit, type Emitted } from '../graph/emit.ts';
import type { Graph } from '../graph/graph.ts';
import { encodeModel } from '../onnx/model.ts';
import { createSession, type Session } from '../runtime/session.ts';
import { PathError } from '../tensor/errors.ts';
import { dataFolder } from '../weights/data-folder.ts';

/** Models below this many bytes of weights are kept in memory. */
const smallModel = 64 * 2 ** 20;
/** Weights of this many models are kept on disk. */
const cachedModels = 4;

/** Weights that a graph can be filled with. */
export interface Bindable {
  readonly read: ReadWeight;
  /** Tells apart weights that differ. */
  readonly identity: string;
}

export interface CompileOptions {
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
}

/**
 * Binds the model's weights to a graph and prepares it.
 *
 * Large models are written to the cache once: weights in one file, which is mapped into memory, and
 * a small model file for each graph beside it.
 */
export async function compile(
  graph: Graph,
  model: Bindable,
  options: CompileOptions,
): Promise<Session> {
  const { device, precision } = options;
  const emitted = emit(graph, {
    file: 'weights.bin',
    weights: precision === 'fp16' ? 'float16' : 'float32',
  });
  if (emitted.length < smallModel)
    return createSession(await selfContained(emitted, model.read), { device });
  const folder = await cachedWeights(emitted, model, precision);
  const bytes = encodeModel(emitted.model);
  const file = join(folder, `${digest(bytes)}.onnx`);
  await writeFile(`${file}.${process.pid}`, bytes);
  await rename(`${file}.${process.pid}`, file);
  // On the processor float16 is how weights are kept; a GPU takes them over into its own memory.
  const mapped = device === 'cpu' && precision === 'fp16';
  return createSession(file, { device, weights: mapped ? 'mapped' : 'fast' });
}

function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 24);
}

/** The folder whose `weights.bin` has these weights, written now if it is not there. */
async function cachedWeights(
  emitted: Emitted,
  model: Bindable,
  precision: string,
): Promise<string> {
  const layout = emitted.weights.map(
    ({ weight, dtype, offset }) => `${weight.name}:${dtype}@${offset}`,
  );
  const name = digest([model.identity, precision, ...layout].join('\n'));
  const cache = join(dataFolder(), 'cache');
  const folder = join(cache, name);
  if (await stat(join(folder, 'weights.bin')).catch(() => undefined)) {
    await utimes(folder, new Date(), new Date());
    return folder;
  }
  const temporary = join(cache, `.${name}.${process.pid}`);
  try {
    await mkdir(temporary, { recursive: true });
    const file = await open(join(temporary, 'weights.bin'), 'w');
    try {
      await file.truncate(emitted.length);
      await bindWeights(emitted, model.read, async (offset, bytes) => {
        await file.write(bytes, 0, bytes.length, offset);
      });
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const gigabytes = (emitted.length / 2 ** 30).toFixed(1);
    throw new PathError(
      `${cache}: expected room for ${gigabytes} GiB of prepared weights, got ${code}. Free space, or set OSEDIFF_HOME to another disk.`,
      { cause },
    );
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await dropOldest(cache);
  return folder;
}

/** Keeps the weights that were used last. */
async function dropOldest(cache: string): Promise<void> {
  const folders = await Promise.all(
    (await readdir(cache)).map(async (name) => {
      const folder = join(cache, name);
      return { folder, time: (await stat(folder).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  folders.sort((a, b) => b.time - a.time);
  const old = folders.slice(cachedModels).filter(({ time }) => Date.now() - time > 60 * 60 * 1000);
  await Promise.all(old.map(({ folder }) => rm(folder, { recursive: true, force: true })));
}
