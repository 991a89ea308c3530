/** Characters of a sentence. */
export const SENTENCE_CHARACTERS_MAX = 200;

/**
 * Whether a text is a sentence that a viewer can show for an action: one line, with no names in braces but `{actor}`, `{target}` and
 * `{source}`, which stand for those of the event.
 */
export function isSentence(text: unknown): text is string {
  if (typeof text !== 'string' || text === '' || text.length > SENTENCE_CHARACTERS_MAX) return false;
  if (/\p{Cc}/u.test(text) || !text.isWellFormed()) return false;
  return !/[{}]/.test(text.replaceAll(/\{(?:actor|target|source)\}/g, ''));
}
