/** @file CLIP's byte-level BPE as transformers' fast tokenizer runs it (Radford 2021; CLIPTokenizerFast). */
import { readTokenizerFiles, type SpecialToken, type TokenizerFiles } from './tokenizer-files.ts';

/** A prompt as token ids. */
export interface Encoding {
  /** `[maxLength]`: start, text, end, then padding; cut so that the end token stays. */
  readonly ids: BigInt64Array;
  /** Tokens with start and end before anything was cut: more than `ids.length` means it was. */
  readonly count: number;
}

/** A loaded CLIP tokenizer. */
export interface ClipTokenizer {
  readonly maxLength: number;
  /** Ids lie below it: the rows an embedding needs. */
  readonly vocabSize: number;
  readonly encode: (text: string) => Encoding;
}

/** White space as Unicode has it: JavaScript's \s lacks U+0085 and adds U+FEFF. */
const SPACE = String.raw`\t-\r\x85\p{Z}`;

/** English contractions, words, single digits, runs of anything else but white space. */
const WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^${SPACE}\p{L}\p{N}]+`;

/** Special tokens by content, each once; the first that names one decides how it is sought. */
function addedTokens({ vocab, pad, bos, eos, unk }: TokenizerFiles): object[] {
  const byContent = new Map<string, SpecialToken>();
  for (const token of [bos, eos, unk, pad]) {
    if (!byContent.has(token.content)) byContent.set(token.content, token);
  }
  return [...byContent.values()].map(({ content, normalized }) => ({
    id: vocab[content]!,
    content,
    normalized,
    special: true,
  }));
}

/** What transformers' `CLIPConverter` writes into a `tokenizer.json`, bent to the library's ways. */
function description(files: TokenizerFiles): object {
  return {
    added_tokens: addedTokens(files),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: `[${SPACE}]+` }, content: ' ' },
        // The original lowers letter by letter; JavaScript would end words in a final sigma.
        { type: 'Replace', pattern: { String: 'Σ' }, content: 'σ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Removed', invert: true },
        // Split already: the library's own pattern here knows JavaScript's white space only.
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
    model: {
      type: 'BPE',
      vocab: files.vocab,
      merges: files.merges,
      unk_token: files.unk.content,
      end_of_word_suffix: '</w>',
    },
    post_processor: null, // start and end are put on below, where long texts are cut
    decoder: null,
  };
}

/**
 * Loads a tokenizer from the `tokenizer/` folder of a diffusers model.
 *
 * @param folder holds vocab.json and merges.txt (or tokenizer.json), special_tokens_map.json and
 *   tokenizer_config.json
 * @throws PathError when the folder holds no tokenizer; FormatError when a file is malformed.
 */
export async function loadTokenizer(folder: string): Promise<ClipTokenizer> {
  const [files, { Tokenizer }] = await Promise.all([
    readTokenizerFiles(folder),
    import('@huggingface/tokenizers'),
  ]);
  const { vocab, bos, eos, pad, maxLength } = files;
  const vocabSize = Object.values(vocab).reduce((most, id) => Math.max(most, id + 1), 0);
  const bpe = new Tokenizer(description(files), {});
  const [start, end, padding] = [bos, eos, pad].map(({ content }) => BigInt(vocab[content]!)) as [
    bigint,
    bigint,
    bigint,
  ];
  const encode = (text: string): Encoding => {
    const words = bpe.encode(text, { add_special_tokens: false }).ids;
    const kept = words.slice(0, maxLength - 2);
    const ids = new BigInt64Array(maxLength).fill(padding);
    ids[0] = start;
    for (const [i, id] of kept.entries()) ids[i + 1] = BigInt(id);
    ids[kept.length + 1] = end;
    return { ids, count: words.length + 2 };
  };
  return { maxLength, vocabSize, encode };
}
