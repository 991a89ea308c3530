import { base64Decode, type JsonValue, VerificationError } from '../bytes/index.ts';
import { type Entry, type OpenedEntry, openEntry, parseEntry } from '../event/index.ts';
import { countOf, invalidAnswer, isObject, textOf, textsOf } from './problems.ts';

/** An entry and its disclosures as an answer holds them. Nothing is proven of it yet. */
export interface ShownEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly disclosures: readonly string[];
  readonly parsed: Entry;
}

/**
 * Reads the entry that an event in an answer is made of; what else the answer says of the event is not looked at. Throws
 * `VerificationError`, `LogError` `answer_invalid`.
 */
export function readShown(answer: JsonValue | undefined): ShownEntry {
  if (!isObject(answer)) throw invalidAnswer('an event is not an object');
  const bytes = answer['bytes'];
  if (!isObject(bytes)) throw invalidAnswer('an event comes without its entry');
  const entry = base64Decode(textOf(bytes, 'entry'));
  return {
    index: countOf(answer, 'index'),
    entry,
    disclosures: textsOf(bytes, 'disclosures'),
    parsed: parseEntry(entry),
  };
}

/** Joins the disclosures back into their entry. Throws `VerificationError` where one does not belong there. */
export function openShown({ parsed, disclosures, index }: ShownEntry): OpenedEntry {
  const opened = openEntry(parsed, disclosures, index);
  const [problem] = opened.problems;
  if (problem === undefined) return opened;
  const code = problem.code === 'malformed' ? 'malformed_disclosure' : 'disclosure_unmatched';
  const message = `The server shows ${parsed.id} with a value that is not the entry's: ${problem.message}.`;
  throw new VerificationError(code, message, { id: parsed.id, index });
}
