/** @file The prompt of one picture from its tags and the user's words (OSEDiff's `get_validation_prompt`). */

/**
 * `tag, tag, ..., words,` as the official program gives it to the network: its commas stand even where
 * there are no tags, or no words.
 */
export function buildPrompt(tags: readonly string[], words: string): string {
  return `${tags.join(', ')}, ${words},`;
}
