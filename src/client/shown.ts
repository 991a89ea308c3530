import { base64Decode, type JsonValue, VerificationError } from '../bytes/index.ts';
import { type Entry, KEY_CHANGES_MAX, type OpenedEntry, openEntry, parseEntry } from '../event/index.ts';
import type { KeyEntry } from '../verify/index.ts';
import { type Answer, countOf, invalidAnswer, isObject, listOf, textOf, textsOf } from './problems.ts';

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

/** The entries from which a log's keys follow, by rising index, as an answer holds them. Throws `LogError` `answer_invalid`. */
export function keyEntriesOf(answer: Answer): KeyEntry[] {
  const entries = listOf(answer, 'entries').map((one) => {
    if (!isObject(one)) throw invalidAnswer('an entry of a key is not an object');
    return { index: countOf(one, 'index'), entry: base64Decode(textOf(one, 'entry')) };
  });
  if (entries.length > KEY_CHANGES_MAX + 1)
    throw invalidAnswer(`it has more than ${KEY_CHANGES_MAX} changes of keys`);
  if (entries.some(({ index }, at) => at > 0 && index <= entries[at - 1]!.index))
    throw invalidAnswer('the entries of its keys are not in order');
  return entries;
}
