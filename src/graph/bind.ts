/** @file Fills an emitted model with weights: into a file beside it, or into the model itself. */
import { encodeModel, type ModelProto } from '../onnx/model.ts';
import { WeightError } from '../tensor/errors.ts';
import { float32ToFloat16 } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Emitted, PlacedWeight } from './emit.ts';

/** Gives a tensor of the checkpoint, widened to float32. */
export type ReadWeight = (key: string) => Promise<Tensor<'float32'>>;

/**
 * Makes every weight in turn and hands its bytes to `write`.
 *
 * @throws WeightError when the checkpoint's tensor has another shape than the network's.
 */
export async function bindWeights(
  { weights }: Emitted,
  read: ReadWeight,
  write: (offset: number, bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  for (const placed of weights) {
    await write(placed.offset, await makeWeight(placed, read));
  }
}

async function makeWeight({ weight, dtype }: PlacedWeight, read: ReadWeight): Promise<Uint8Array> {
  const sources: Tensor<'float32'>[] = [];
  for (const { key, shape } of weight.sources) {
    const source = await read(key);
    if (source.shape.join() !== shape.join()) {
      throw new WeightError(
        `weights: expected "${key}" to be [${shape.join(', ')}], got [${source.shape.join(', ')}].`,
      );
    }
    sources.push(source);
  }
  const { data } = weight.make ? weight.make(sources) : sources[0]!;
  const stored = dtype === 'float16' ? float32ToFloat16(data) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** The bytes of a small model that holds its own weights. */
export async function selfContained(emitted: Emitted, read: ReadWeight): Promise<Uint8Array> {
  const byOffset = new Map<string, Uint8Array>();
  await bindWeights(emitted, read, (offset, bytes) => void byOffset.set(String(offset), bytes));
  const { graph } = emitted.model;
  const initializer = graph.initializer.map((entry) => {
    const offset = entry.externalData?.find(({ key }) => key === 'offset')?.value;
    if (offset === undefined) return entry;
    const { name, dataType, dims } = entry;
    return { name, dataType, dims, rawData: byOffset.get(offset)! };
  });
  const model: ModelProto = { ...emitted.model, graph: { ...graph, initializer } };
  return encodeModel(model);
}
