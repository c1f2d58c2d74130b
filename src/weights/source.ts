/** @file One interface to weights, whatever file or files they are in, and how to open them. */
import { readdir } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import type { DType } from '../tensor/dtype.ts';
import { FormatError, PathError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { pathError } from './path-errors.ts';
import { openRangeFile } from './range-file.ts';
import { pathInside } from './safe-path.ts';
import { openSafetensors } from './safetensors.ts';
import { openShards } from './shards.ts';
import { openTorchWeights } from './torch-zip.ts';

/** What is known of a tensor before it is read. */
export interface WeightInfo {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Weights by name; a tensor is read when asked for. */
export interface WeightSource {
  /** For error messages: the file's name. */
  readonly label: string;
  readonly entries: ReadonlyMap<string, WeightInfo>;
  /** @throws WeightError when there is no such key */
  read(key: string): Promise<Tensor>;
  close(): Promise<void>;
}

/** Which of several files in a folder to take. */
export interface FolderOptions {
  /** As in `diffusion_pytorch_model.fp16.safetensors`. */
  readonly variant?: string | undefined;
  /** The folder that no link may lead out of; by default the opened folder itself. */
  readonly root?: string;
}

/**
 * Opens a file of weights: safetensors, a zip of torch.save, or the index of sharded ones
 * (`*.index.json`, whose shards lie beside it).
 *
 * @throws PathError when a file cannot be read
 * @throws FormatError when it is of another kind or damaged
 */
export async function openWeights(file: string): Promise<WeightSource> {
  if (file.endsWith('.json')) return openShards(file, openWeights);
  return (await isSafetensors(file)) ? openSafetensors(file) : openTorchWeights(file);
}

/**
 * Opens the weights in one folder of a model in the layout of diffusers or transformers.
 *
 * With a variant only its files are looked at. Else: safetensors without a variant, whole or
 * sharded; then `.bin`; then, if the folder has but one, the safetensors of a variant.
 *
 * @param stems names without extension, such as `['model', 'pytorch_model']`, the first found wins
 * @throws PathError when there is no such file (the message lists what there is), or one that is
 *   named is outside the folder
 */
export async function openFolder(
  dir: string,
  stems: readonly string[],
  options: FolderOptions = {},
): Promise<WeightSource> {
  const name = await findWeights(dir, stems, options.variant);
  if (name === undefined) {
    const wanted = options.variant ? ` of variant "${options.variant}"` : '';
    const there = (await filesIn(dir)).filter((file) => file !== 'config.json').join(', ');
    throw new PathError(
      `${dir}: expected weights${wanted} named ${stems.join(' or ')}, got ${there || 'none'}.`,
    );
  }
  const root = options.root ?? dir;
  const way = relative(root, dir).split(sep).filter(Boolean);
  return openWeights(await pathInside(root, [...way, name].join('/')));
}

/**
 * The name of the file that `openFolder` opens; undefined when there is none.
 *
 * @throws PathError when the folder cannot be read
 */
export async function findWeights(
  dir: string,
  stems: readonly string[],
  variant?: string,
): Promise<string | undefined> {
  const files = new Set(await filesIn(dir));
  const inOrder = ['safetensors', 'bin'].flatMap((kind) =>
    stems.flatMap((stem) =>
      variant
        ? [`${stem}.${variant}.${kind}`, `${stem}.${kind}.index.${variant}.json`]
        : [`${stem}.${kind}`, `${stem}.${kind}.index.json`],
    ),
  );
  const found = inOrder.find((file) => files.has(file));
  if (found !== undefined || variant) return found;
  const ofVariants = [...files].filter((file) =>
    stems.some(
      (stem) =>
        file.startsWith(`${stem}.`) &&
        /^\.[\w-]+\.safetensors$|^\.safetensors\.index\.\w+\.json$/.test(file.slice(stem.length)),
    ),
  );
  return ofVariants.length === 1 ? ofVariants[0] : undefined;
}

async function filesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    throw pathError(dir, error);
  });
  return names.sort();
}

/** By extension, else by content: the header's length is small and `{` follows it. */
async function isSafetensors(path: string): Promise<boolean> {
  if (path.endsWith('.safetensors')) return true;
  const file = await openRangeFile(path);
  try {
    if (file.size < 9) {
      throw new FormatError(
        `${basename(path)}: expected safetensors or a zip of torch.save, got ${file.size} bytes.`,
      );
    }
    return (await file.read(8, 1))[0] === 0x7b && (await file.read(4, 1))[0] === 0;
  } finally {
    await file.close();
  }
}
