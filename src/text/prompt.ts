/** @file The prompt of one picture from its tags and the user's words (OSEDiff's `get_validation_prompt`). */

/**
 * `tag, tag, ..., words,` as the paper's models were trained on it, an empty prompt included; the
 * user's words alone where there are no tags.
 */
export function buildPrompt(tags: readonly string[], prompt: string): string {
  return tags.length === 0 ? prompt : `${tags.join(', ')}, ${prompt},`;
}
