/** @file Imports a network that is one file of weights into the store: a tagger, or part of a measure. */
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { elementCount } from '../tensor/tensor.ts';
import { convertWeights } from './convert.ts';
import type { Imported } from './import-model.ts';
import type { NetworkKind, Precision } from './manifest.ts';
import type { JsonObject } from './model-folder.ts';
import { bindWeights } from './names.ts';
import type { WeightSource } from './source.ts';
import { freePlace, writeFolder } from './write-model.ts';

/** The files of a network in the store. */
export const networkFiles = { weights: 'weights.safetensors', config: 'config.json' } as const;

/** A network to be imported. */
export interface NetworkImport {
  readonly name: string;
  readonly kind: NetworkKind;
  /** Its class, for lists. */
  readonly class: string;
  /** Where the weights are from: their file, and what was merged into them. */
  readonly file: string;
  readonly loras?: readonly string[];
  /** The weights; left open. */
  readonly source: WeightSource;
  /** Shape of each weight that the network asks for. */
  readonly wanted: ReadonlyMap<string, readonly number[]>;
  /** Keys that are known to be of no use. */
  readonly useless: RegExp;
  /** What the weights' shapes do not tell. */
  readonly config: JsonObject;
  /** Small files beside the weights, by name. */
  readonly texts?: Readonly<Record<string, string>>;
  /** By default fp16 when every weight is stored so, else fp32. */
  readonly precision?: Precision | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Imports a network; it appears in the store complete or not at all.
 *
 * @throws UsageError for a bad name
 * @throws PathError when the name is taken or the store cannot be written
 * @throws WeightError naming weights that are missing or misshapen
 * @throws the signal's reason when it is aborted
 */
export async function importNetwork(network: NetworkImport): Promise<Imported> {
  const { name, kind, source, wanted, config, texts = {}, signal, onProgress } = network;
  const target = await freePlace(name);
  const { unused } = bindWeights(source, wanted);
  const halves = [...wanted.keys()].every((key) => source.entries.get(key)!.dtype === 'float16');
  const precision = network.precision ?? (halves ? 'fp16' : 'fp32');
  const parameters = [...wanted.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  const manifest = await writeFolder(target, network, async (beside) => {
    const small = { ...texts, [networkFiles.config]: `${JSON.stringify(config, null, 2)}\n` };
    for (const [file, text] of Object.entries(small)) await writeFile(join(beside, file), text);
    let done = 0;
    await convertWeights(join(beside, networkFiles.weights), source, wanted.keys(), precision, {
      onTensor: (elements) => onProgress?.((done += elements), parameters),
      signal,
    });
    const fields = {
      name,
      kind,
      source: {
        folder: dirname(resolve(network.file)),
        weights: { [kind]: basename(network.file) },
        loras: (network.loras ?? []).map((file) => resolve(file)),
      },
      licence: null,
      precision,
      prompt: null,
      parts: { [kind]: { class: network.class, parameters, config } },
    };
    return { files: [...Object.keys(small), networkFiles.weights], fields };
  });
  return { folder: target, manifest, unused: unused.filter((key) => !network.useless.test(key)) };
}
