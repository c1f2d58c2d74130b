/** @file Weights spread over several files with an index (the layout of transformers and diffusers). */
import { basename, dirname } from 'node:path';
import { FormatError, WeightError } from '../tensor/errors.ts';
import { readJsonFile } from './json-file.ts';
import { fewOf, quoted } from './quoted.ts';
import { pathInside } from './safe-path.ts';
import type { WeightInfo, WeightSource } from './source.ts';
import { isObject } from './strict-json.ts';

/** Files of one checkpoint; real ones have fewer than two hundred. */
const mostShards = 1000;

/**
 * Opens every shard that an index names.
 *
 * @param index a file `*.index.json` with `{ "weight_map": { "<key>": "<file beside it>" } }`
 * @param open how to open one shard
 * @throws PathError when a shard is missing or named outside the index's folder
 * @throws FormatError when the index is none
 * @throws WeightError when a shard lacks a key that the index puts there, or has one it does not
 */
export async function openShards(
  index: string,
  open: (file: string) => Promise<WeightSource>,
): Promise<WeightSource> {
  const label = basename(index);
  const places = await readIndex(index, label);
  const shards = new Map<string, WeightSource>();
  const close = async (): Promise<void> => {
    await Promise.all([...shards.values()].map((shard) => shard.close()));
  };
  try {
    for (const name of new Set(places.values())) {
      shards.set(name, await open(await pathInside(dirname(index), name)));
    }
    checkKeys(places, shards, label);
  } catch (error) {
    await close();
    throw error;
  }
  const shardOf = (key: string): WeightSource | undefined => shards.get(places.get(key) ?? '');
  return {
    label,
    entries: new Map(
      [...places.keys()].map((key): [string, WeightInfo] => [key, shardOf(key)!.entries.get(key)!]),
    ),
    close,
    async read(key) {
      const shard = shardOf(key);
      if (!shard) throw new WeightError(`${label}: has no tensor ${quoted(key)}.`);
      return shard.read(key);
    },
  };
}

/** The file of each key. */
async function readIndex(index: string, label: string): Promise<ReadonlyMap<string, string>> {
  const { weight_map: map } = await readJsonFile(index);
  if (!isObject(map)) throw new FormatError(`${label}: expected an object "weight_map".`);
  const places = new Map<string, string>();
  for (const [key, file] of Object.entries(map)) {
    // An index that names an index could go round in circles.
    if (typeof file !== 'string' || file.includes('/') || file.endsWith('.json')) {
      throw new FormatError(
        `${label}: expected a file beside the index for ${quoted(key)}, got ${quoted(String(file))}.`,
      );
    }
    places.set(key, file);
  }
  if (new Set(places.values()).size > mostShards) {
    throw new FormatError(`${label}: expected at most ${mostShards} shards.`);
  }
  return places;
}

function checkKeys(
  places: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, WeightSource>,
  label: string,
): void {
  const missing = [...places].filter(([key, file]) => !shards.get(file)!.entries.has(key));
  const unnamed = [...shards].flatMap(([file, { entries }]) =>
    [...entries.keys()].filter((key) => places.get(key) !== file),
  );
  if (missing.length > 0) {
    const names = missing.map(([key, file]) => `${quoted(key)} (${file})`);
    throw new WeightError(`${label}: its shards lack ${fewOf(names)}.`);
  }
  if (unnamed.length > 0) {
    throw new WeightError(`${label}: does not name ${fewOf(unnamed.map(quoted))} of its shards.`);
  }
}
