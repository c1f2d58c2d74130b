/** @file The words that a network is conditioned on: the caller's, with the picture's tags before them where the model was trained so. */
import { UsageError } from '../tensor/errors.ts';
import { buildPrompt } from '../text/prompt.ts';
import type { CompileOptions } from './compile.ts';
import type { Model } from './model.ts';
import type { RowSource } from './rows.ts';
import { openTagger, type Tagger } from './tagger.ts';
import { hasTagger, usualTagger } from './tagger-model.ts';
import type { PromptSource } from './types.ts';

/** Makes the prompt of each picture. */
export interface PromptWords {
  /** Where it comes from beside the caller's own words. */
  readonly from: PromptSource;
  /** Why not from where the model's training had it, in one line. */
  readonly note?: string;
  /**
   * The prompt of one picture.
   *
   * @param picture at its final size
   * @param words the caller's own
   */
  of(picture: RowSource, words: string): Promise<string>;
  release(): Promise<void>;
}

/** What is asked for. */
export interface PromptWish {
  /** By default what the model was trained with, where the tagger for that is there. */
  readonly from?: PromptSource | undefined;
  /** Name of an imported tagger. */
  readonly tagger?: string | undefined;
}

/**
 * Settles where prompts come from.
 *
 * @throws UsageError when tags are asked for and the model takes no prompt
 * @throws PathError when tags are asked for and the tagger is not there
 */
export async function promptWords(
  model: Pick<Model, 'name' | 'config' | 'trainedWith'>,
  { from, tagger = usualTagger }: PromptWish,
  options: CompileOptions,
): Promise<PromptWords> {
  const plain = {
    from: 'none',
    of: (_: RowSource, words: string) => Promise.resolve(words),
    release: () => Promise.resolve(),
  } as const;
  if (!model.config.text) {
    if (from !== 'dape') return plain;
    throw new UsageError(
      `${model.name}: expected a model that takes prompts, got one without. Leave --prompt-from out.`,
    );
  }
  if (from === 'none') return plain;
  if (from === undefined && model.trainedWith !== 'dape') return plain;
  if (from === undefined && !(await hasTagger(tagger))) {
    const note = `${model.name} was trained with tags of each picture as its prompt, and there is no tagger "${tagger}": the prompt is only yours. Import one with "osediff model import --kind tagger", or say --prompt-from none`;
    return { ...plain, note };
  }
  return tagged(await openTagger(tagger, options));
}

function tagged(tagger: Tagger): PromptWords {
  return {
    from: 'dape',
    async of(picture, words) {
      const tags = await tagger.tag(picture);
      return buildPrompt(
        tags.map(({ tag }) => tag),
        words,
      );
    },
    release: () => tagger.release(),
  };
}
