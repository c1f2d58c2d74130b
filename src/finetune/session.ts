/** @file Makes a training graph ready to run: small ones in memory, large ones from a folder. */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bindWeights, type ReadWeight, selfContained } from '../graph/bind.ts';
import { emit } from '../graph/emit.ts';
import type { Graph } from '../graph/graph.ts';
import { encodeModel } from '../onnx/model.ts';
import { createSession, type Session, type SessionOptions } from '../runtime/session.ts';
import { PathError } from '../tensor/errors.ts';

/** Models below this many bytes of weights are kept in memory. */
const smallModel = 64 * 2 ** 20;

/**
 * A session of a graph with its frozen weights.
 *
 * @param folder an empty one, for the model and its weights if they are large; it must outlive the
 *   session, which maps the weights into memory
 * @throws PathError when the folder has no room
 */
export async function trainingSession(
  graph: Graph,
  read: ReadWeight,
  folder: string,
  options: SessionOptions = {},
): Promise<Session> {
  const emitted = emit(graph, { file: 'weights.bin' });
  if (emitted.length < smallModel)
    return createSession(await selfContained(emitted, read), options);
  try {
    const file = await open(join(folder, 'weights.bin'), 'w');
    try {
      await file.truncate(emitted.length);
      await bindWeights(emitted, read, async (offset, bytes) => {
        await file.write(bytes, 0, bytes.length, offset);
      });
    } finally {
      await file.close();
    }
    await writeFile(join(folder, 'step.onnx'), encodeModel(emitted.model));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const gigabytes = (emitted.length / 2 ** 30).toFixed(1);
    throw new PathError(
      `${folder}: expected room for ${gigabytes} GiB of prepared weights, got ${code}. Free space there.`,
      { cause },
    );
  }
  return createSession(join(folder, 'step.onnx'), options);
}
