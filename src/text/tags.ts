/** @file Lists of tags, and which of them a picture gets (Recognize Anything, Zhang 2023). */
import { FormatError, ShapeError } from '../tensor/errors.ts';
import { ramTags, ramThresholds } from './ram-tags.ts';

/** The tags that a tagger knows, in the order of its outputs. */
export interface TagLists {
  readonly tags: readonly string[];
  /** The probability that each tag must exceed; 1 means never. */
  readonly thresholds: Float32Array;
}

/** A tag that a picture got. */
export interface ChosenTag {
  readonly tag: string;
  readonly probability: number;
}

/** The 4585 tags of the published model. */
export function publishedTags(): TagLists {
  return { tags: ramTags(), thresholds: ramThresholds() };
}

/**
 * Lists from files in the form of the published ones: a tag a line, a number a line.
 *
 * @param where names the lists in messages
 * @throws FormatError when they are not equally long, or a threshold is no probability
 */
export function parseTagLists(tagsText: string, thresholdsText: string, where: string): TagLists {
  const tags = linesOf(tagsText);
  const numbers = linesOf(thresholdsText).map(Number);
  const wrong = numbers.findIndex((v) => !(v >= 0 && v <= 1));
  if (wrong >= 0) {
    throw new FormatError(`${where}: expected a threshold of 0 to 1 on line ${wrong + 1}.`);
  }
  if (tags.length !== numbers.length || tags.length === 0) {
    throw new FormatError(
      `${where}: expected as many thresholds as tags, got ${numbers.length} and ${tags.length}.`,
    );
  }
  return { tags, thresholds: Float32Array.from(numbers) };
}

function linesOf(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * The tags whose probability is above their threshold, in list order.
 *
 * @param logits one a tag
 * @throws ShapeError when there are more or fewer logits than tags
 */
export function chooseTags(
  logits: Float32Array,
  { tags, thresholds }: TagLists,
): readonly ChosenTag[] {
  if (logits.length !== tags.length) {
    throw new ShapeError(`tags: expected ${tags.length} logits, got ${logits.length}.`);
  }
  return tags.flatMap((tag, i) => {
    const probability = Math.fround(1 / (1 + Math.exp(-logits[i]!))); // compared in float32
    return probability > thresholds[i]! ? [{ tag, probability }] : [];
  });
}
