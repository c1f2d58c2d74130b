/** @file The manifest of a stored model: what it was made of, and the hash of every file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '../tensor/errors.ts';
import { writeAtomically } from './atomic-file.ts';
import { readJsonFile } from './json-file.ts';
import { pathError } from './path-errors.ts';
import { checkRelative } from './safe-path.ts';
import { isObject } from './strict-json.ts';

/** The file's name in the model's folder. */
export const manifestName = 'manifest.json';

/** The version that is written and read. */
const formatVersion = 1;

/** Number type of the stored base weights. */
export type Precision = 'fp32' | 'fp16';

/** Prompts that a model was trained with: tags of DAPE, or none (the paper's Table 4). */
export type PromptKind = 'dape' | 'null-prompt';

/** Networks beside upscalers: what names the tags of a picture, and parts of measures. */
export type NetworkKind = 'tagger' | 'metric';

/** Size and hash of a file. */
export interface FileRecord {
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** What of a part's config tells models apart at a glance. */
export interface PartSummary {
  readonly class: string;
  readonly parameters: number;
  readonly config: Readonly<Record<string, unknown>>;
}

/** What `manifest.json` says. */
export interface Manifest {
  readonly formatVersion: typeof formatVersion;
  readonly name: string;
  /** Absent: an upscaler. */
  readonly kind?: NetworkKind;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** Where it was imported from. */
  readonly source: {
    readonly folder: string;
    /** File of each part, below the folder. */
    readonly weights: Readonly<Record<string, string>>;
    readonly loras: readonly string[];
  };
  /** As its model card or licence file names it; null when it has neither. */
  readonly licence: string | null;
  readonly precision: Precision;
  /** Of upscalers; null where there is no prompt. */
  readonly prompt: PromptKind | null;
  readonly parts: Readonly<Record<string, PartSummary>>;
  /** Every file of the model but this one, by its path below the folder. */
  readonly files: Readonly<Record<string, FileRecord>>;
}

/**
 * Reads and checks the manifest in a model's folder.
 *
 * @throws PathError when there is none
 * @throws FormatError when it is damaged or of another version
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestName);
  const json = await readJsonFile(path);
  if (json['formatVersion'] !== formatVersion) {
    throw new FormatError(
      `${path}: expected format version ${formatVersion}, got ${JSON.stringify(json['formatVersion'])}. Remove the model and import it again.`,
    );
  }
  if (!isManifest(json)) {
    throw new FormatError(`${path}: is damaged. Remove the model and import it again.`);
  }
  for (const file of Object.keys(json.files)) checkRelative(file);
  return json;
}

/** Writes the manifest into a model's folder. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeAtomically(join(folder, manifestName), (file) =>
    file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`),
  );
}

/** A manifest of the version that is written, about to be completed. */
export function newManifest(fields: Omit<Manifest, 'formatVersion' | 'created'>): Manifest {
  return { formatVersion, created: new Date().toISOString(), ...fields };
}

/**
 * Size and hash of a file as it is on the disk.
 *
 * @throws PathError when it cannot be read
 */
export async function recordFile(path: string, signal?: AbortSignal): Promise<FileRecord> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (error) {
    throw pathError(path, error);
  }
  return { bytes, sha256: hash.digest('hex') };
}

function isManifest(json: object): json is Manifest {
  const m = json as Partial<Record<keyof Manifest, unknown>>;
  return (
    typeof m.name === 'string' &&
    typeof m.created === 'string' &&
    isSource(m.source) &&
    (m.licence === null || typeof m.licence === 'string') &&
    (m.precision === 'fp32' || m.precision === 'fp16') &&
    [undefined, 'tagger', 'metric'].includes(m.kind as undefined) &&
    ['dape', 'null-prompt', null].includes(m.prompt as null) &&
    isRecordOf(m.parts, (part) => isObject(part) && typeof part['parameters'] === 'number') &&
    isRecordOf(m.files, isFileRecord)
  );
}

function isSource(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['folder'] === 'string' &&
    isRecordOf(value['weights'], (file) => typeof file === 'string') &&
    Array.isArray(value['loras']) &&
    value['loras'].every((lora) => typeof lora === 'string')
  );
}

function isFileRecord(value: unknown): boolean {
  return (
    isObject(value) &&
    Number.isSafeInteger(value['bytes']) &&
    typeof value['sha256'] === 'string' &&
    /^[0-9a-f]{64}$/.test(value['sha256'])
  );
}

function isRecordOf(value: unknown, fits: (member: unknown) => boolean): boolean {
  return isObject(value) && Object.values(value).every(fits);
}
