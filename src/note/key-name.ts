/**
 * What a key name may not hold: a plus sign, which separates the parts of a vkey; the ASCII control
 * characters, which no note may hold; and every Unicode space. The spaces are those of Go's
 * `unicode.IsSpace`, spelt out, because `\s` in JavaScript lacks U+0085 and adds U+FEFF: two verifiers would
 * disagree about the same line.
 */
const forbidden = /[\u0000-\u0020+\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * Whether `text` can be the name of a key: not empty, well-formed Unicode, no space, plus sign or control
 * character.
 */
export function isKeyName(text: string): boolean {
  return text !== '' && text.isWellFormed() && !forbidden.test(text);
}
