/** @file The files of a CLIP tokenizer's folder, and which of them has the last word. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { FormatError, PathError } from '../tensor/errors.ts';

/** A token that is cut out of the text as a whole. */
export interface SpecialToken {
  readonly content: string;
  /** Sought in the normalized text, so that upper case matches too. */
  readonly normalized: boolean;
}

/** What a folder says about its tokenizer. */
export interface TokenizerFiles {
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs in order of rank, each `left right`. */
  readonly merges: readonly string[];
  readonly bos: SpecialToken;
  readonly eos: SpecialToken;
  readonly unk: SpecialToken;
  readonly pad: SpecialToken;
  /** Tokens of a sequence, start and end included. */
  readonly maxLength: number;
}

type Json = Record<string, unknown>;

/** CLIP's context, for folders that state none or transformers' "very large integer". */
const DEFAULT_MAX_LENGTH = 77;

/** A file's text, or undefined when there is none. */
async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PathError(
      `${file}: expected a readable file, got ${(error as Error).message}. Check its access rights.`,
      { cause: error },
    );
  }
}

/** @throws FormatError when `text` is not a JSON object. */
function parseObject(file: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(
      `${file}: expected JSON, got a syntax error (${(error as Error).message}). Copy it again.`,
      { cause: error },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FormatError(`${file}: expected a JSON object, got another value. Copy it again.`);
  }
  return value as Json;
}

async function readObject(file: string): Promise<Json | undefined> {
  const text = await readOptional(file);
  return text === undefined ? undefined : parseObject(file, text);
}

/** @throws FormatError when the vocabulary does not give every token an id of its own. */
function checkVocab(file: string, vocab: Json): Record<string, number> {
  const ids = Object.values(vocab);
  const valid = ids.every((id) => Number.isInteger(id) && Number(id) >= 0);
  if (ids.length === 0 || !valid || new Set(ids).size !== ids.length) {
    throw new FormatError(
      `${file}: expected tokens with an id each, got missing, repeated or other values. Copy it again.`,
    );
  }
  return vocab as Record<string, number>;
}

/** Vocabulary and merges from `vocab.json` and `merges.txt`, else from `tokenizer.json`. */
async function readModel(folder: string): Promise<Pick<TokenizerFiles, 'vocab' | 'merges'>> {
  const vocabFile = path.join(folder, 'vocab.json');
  const vocab = await readObject(vocabFile);
  const merges = await readOptional(path.join(folder, 'merges.txt'));
  if (vocab && merges !== undefined) {
    const [first = '', ...rest] = merges.split(/\r?\n/);
    const lines = first.startsWith('#version') ? rest : [first, ...rest];
    return { vocab: checkVocab(vocabFile, vocab), merges: lines.filter((line) => line !== '') };
  }
  const file = path.join(folder, 'tokenizer.json');
  const model = (await readObject(file))?.['model'] as Json | undefined;
  if (model?.['type'] === 'BPE' && Array.isArray(model['merges'])) {
    return {
      vocab: checkVocab(file, (model['vocab'] ?? {}) as Json),
      merges: model['merges'].map((m: string | string[]) => (Array.isArray(m) ? m.join(' ') : m)),
    };
  }
  throw new PathError(
    `${folder}: expected vocab.json and merges.txt, got neither these nor a BPE in tokenizer.json. Give the folder of a CLIP tokenizer.`,
  );
}

/** A special token's entry: its text alone, or an object as transformers writes AddedTokens. */
function specialToken(entry: unknown, normalized: boolean): SpecialToken | undefined {
  if (typeof entry === 'string') return { content: entry, normalized };
  const { content, normalized: own = normalized } = (entry ?? {}) as Json;
  return typeof content === 'string' ? { content, normalized: own === true } : undefined;
}

/**
 * Reads a tokenizer's folder. For special tokens `special_tokens_map.json` overrules
 * `tokenizer_config.json`: SD 2.x pads with "!" by the first, against the second.
 *
 * @throws PathError when the folder holds no tokenizer; FormatError when a file is malformed or a
 *   special token is not in the vocabulary.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const model = await readModel(folder);
  const config = (await readObject(path.join(folder, 'tokenizer_config.json'))) ?? {};
  const map = (await readObject(path.join(folder, 'special_tokens_map.json'))) ?? {};
  // As transformers builds them: pad is plain text unless an entry says otherwise, the rest are not.
  const find = (role: string, fallback: string, normalized: boolean): SpecialToken => {
    const token = specialToken(map[role], normalized) ??
      specialToken(config[role], normalized) ?? { content: fallback, normalized };
    if (!Object.hasOwn(model.vocab, token.content)) {
      throw new FormatError(
        `${folder}: expected ${role} in the vocabulary, got "${token.content}". Check special_tokens_map.json.`,
      );
    }
    return token;
  };
  const stated = Number(config['model_max_length']);
  const maxLength = Number.isInteger(stated) && stated > 2 && stated <= 1e6 ? stated : undefined;
  return {
    ...model,
    bos: find('bos_token', '<|startoftext|>', true),
    eos: find('eos_token', '<|endoftext|>', true),
    unk: find('unk_token', '<|endoftext|>', true),
    pad: find('pad_token', '<|endoftext|>', false),
    maxLength: maxLength ?? DEFAULT_MAX_LENGTH,
  };
}
