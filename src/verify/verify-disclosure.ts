import { type JsonValue, VerificationError } from '../bytes/index.ts';
import { openEntry, parseDisclosure, parseEntry } from '../event/index.ts';

/** A sealed value that belongs to an entry. */
export interface DisclosedField {
  /** JSON pointer to the value within the event. */
  readonly path: string;
  readonly name: string;
  readonly value: JsonValue;
  /** Whose it is: `type/id`. */
  readonly subjects: readonly string[];
}

/**
 * Verifies that a disclosure belongs to an entry: its digest is one of those that the entry holds, so that
 * name and value are what the log took. Returns them, and where in the event they stand. It says nothing of
 * whether the entry is in any log: `verifyProof` does.
 *
 * Throws `malformed_entry`, or `disclosure_unmatched` with what is wrong with the disclosure.
 */
export function verifyDisclosure(entry: Uint8Array, disclosure: string): DisclosedField {
  const { fields, problems } = openEntry(parseEntry(entry), [disclosure], 0);
  const field = fields.find((candidate) => candidate.disclosure === 0);
  if (field === undefined) {
    throw new VerificationError('disclosure_unmatched', 'The disclosure does not belong to this entry.', {
      problems: problems.map(({ code }) => code),
    });
  }
  const { name, value } = parseDisclosure(disclosure);
  return { path: field.path, name, value, subjects: field.subjects };
}
