/** @file The tagger on disk: imported from the official files, and opened again. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigReader } from '../networks/config.ts';
import { requiredByTagger } from '../networks/required.ts';
import { type TaggerConfig, taggerConfig } from '../networks/swin-tagger-config.ts';
import { ConfigError, PathError, UsageError } from '../tensor/errors.ts';
import { toFloat32 } from '../tensor/float16.ts';
import { parseTagLists, publishedTags, type TagLists } from '../text/tags.ts';
import type { Imported } from '../weights/import-model.ts';
import { importNetwork, networkFiles } from '../weights/import-network.ts';
import { readJsonFile } from '../weights/json-file.ts';
import type { Precision } from '../weights/manifest.ts';
import { bindWeights as checkKeys } from '../weights/names.ts';
import { openWeights, type WeightSource } from '../weights/source.ts';
import { pathError } from '../weights/path-errors.ts';
import { listModels, resolveModel } from '../weights/store.ts';
import { taggerSource } from '../weights/tagger-source.ts';
import type { Bindable } from './compile.ts';

/** What the tagger is called unless it is given another name. */
export const usualTagger = 'dape';

/** Parts of the official class that take no part in tagging, and buffers that are computed here. */
const useless = /^(tag_encoder|text_decoder)\.|\.(relative_position_index|attn_mask)$/;
const listFiles = { tags: 'tags.txt', thresholds: 'thresholds.txt' } as const;

export interface TaggerImportOptions {
  readonly name?: string;
  /** `DAPE.pth`. */
  readonly lora?: string | undefined;
  /** Lists for a tagger that knows other tags than the published one. */
  readonly lists?: { readonly tags: string; readonly thresholds: string } | undefined;
  readonly precision?: Precision | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Imports a tagger with DAPE's LoRA merged in.
 *
 * @param file `ram_swin_large_14m.pth`; of its several GB only the tagger's weights are read
 * @throws PathError, FormatError or WeightError when a file is none of a tagger's
 * @throws UsageError when there are other tags than the published ones and no lists of them
 */
export async function importTagger(file: string, options: TaggerImportOptions): Promise<Imported> {
  const { name = usualTagger, lora, lists, ...rest } = options;
  const source = await openFiles(file, lora);
  try {
    const config = taggerConfig(shapesOf(source), source.label);
    const texts = lists && {
      [listFiles.tags]: await readText(lists.tags),
      [listFiles.thresholds]: await readText(lists.thresholds),
    };
    const known = texts
      ? parseTagLists(texts[listFiles.tags], texts[listFiles.thresholds], 'tags')
      : publishedTags();
    checkCount(known, config, source.label);
    return await importNetwork({
      ...rest,
      name,
      kind: 'tagger',
      class: 'RAM',
      file,
      loras: lora === undefined ? [] : [lora],
      source,
      wanted: requiredByTagger(config),
      useless,
      config: { image_size: config.imageSize, num_attention_heads: config.head.heads },
      ...(texts && { texts }),
    });
  } finally {
    await source.close();
  }
}

async function openFiles(file: string, lora: string | undefined): Promise<WeightSource> {
  const base = await openWeights(file);
  try {
    return taggerSource({ base, dape: lora === undefined ? undefined : await openWeights(lora) });
  } catch (error) {
    await base.close();
    throw error;
  }
}

/** A tagger whose weights can be read. */
export interface TaggerModel extends Bindable {
  readonly name: string;
  readonly config: TaggerConfig;
  readonly lists: TagLists;
  close(): Promise<void>;
}

/** Whether a tagger of that name is there. */
export async function hasTagger(name: string = usualTagger): Promise<boolean> {
  return (await listModels()).some(
    (model) => model.name === name && 'manifest' in model && model.manifest?.kind === 'tagger',
  );
}

/**
 * Opens an imported tagger.
 *
 * @throws PathError when there is none of that name, UsageError when it is another kind of model
 */
export async function openTaggerModel(name: string = usualTagger): Promise<TaggerModel> {
  const remedy = `Import one with "osediff model import --kind tagger ram_swin_large_14m.pth --lora DAPE.pth".`;
  const { folder, manifest } = await resolveModel(name).catch((cause: unknown) => {
    if (!(cause instanceof PathError)) throw cause;
    throw new PathError(`"${name}": expected a tagger, got none of that name. ${remedy}`, {
      cause,
    });
  });
  if (manifest?.kind !== 'tagger') {
    throw new UsageError(`"${name}": expected a tagger, got another kind of model. ${remedy}`);
  }
  const json = new ConfigReader(await readJsonFile(join(folder, networkFiles.config)), name);
  const source = await openWeights(join(folder, networkFiles.weights));
  try {
    const config = taggerConfig(shapesOf(source), source.label, {
      imageSize: json.integer('image_size'),
      heads: json.integer('num_attention_heads'),
    });
    checkKeys(source, requiredByTagger(config));
    const lists = listFiles.tags in manifest.files ? await readLists(folder) : publishedTags();
    checkCount(lists, config, source.label);
    return {
      name,
      config,
      lists,
      identity: Object.values(manifest.files)
        .map(({ sha256 }) => sha256)
        .join(),
      read: async (key) => toFloat32(await source.read(key)),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readLists(folder: string): Promise<TagLists> {
  const [tags, thresholds] = await Promise.all(
    [listFiles.tags, listFiles.thresholds].map((file) => readText(join(folder, file))),
  );
  return parseTagLists(tags!, thresholds!, folder);
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw pathError(file, error);
  });
}

function checkCount({ tags }: TagLists, config: TaggerConfig, label: string): void {
  if (tags.length === config.tags) return;
  throw new ConfigError(
    `${label}: expected a tagger of ${tags.length} tags, got one of ${config.tags}. Give its own lists with --tags and --thresholds.`,
  );
}

function shapesOf({ entries }: WeightSource): ReadonlyMap<string, readonly number[]> {
  return new Map([...entries].map(([key, { shape }]) => [key, shape]));
}
