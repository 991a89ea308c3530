import { VerificationError } from '../bytes/index.ts';
import { formatNote, type NoteSignature, parseNote, parseSignatureLine } from '../note/index.ts';

/** Of these lines the first of each key, and none of a key that has signed the note already. Throws `malformed_note`. */
export function linesOfNewKeys(note: Uint8Array, lines: readonly string[]): string[] {
  const seen = new Set(parseNote(note).signatures.map(keyOf));
  return lines.filter((line) => {
    const key = keyOf(parseSignatureLine(line));
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** The note with these lines in the place of earlier ones by the same keys. Nothing is verified. Throws `malformed_note`. */
export function withNewest(note: Uint8Array, lines: readonly string[]): Uint8Array {
  const { text, signatures } = parseNote(note);
  const newest = new Map(lines.map(parseSignatureLine).map((one) => [keyOf(one), one]));
  const kept = signatures.filter((signature) => !newest.has(keyOf(signature)));
  return formatNote({ text, signatures: [...kept, ...newest.values()] });
}

function keyOf({ name, keyId }: NoteSignature): string {
  return `${name} ${keyId}`;
}

/** The signature lines of a note; none of what is no note. */
export function linesOf(note: unknown): string[] {
  try {
    return note instanceof Uint8Array ? parseNote(note).signatures.map(({ line }) => line) : [];
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}
