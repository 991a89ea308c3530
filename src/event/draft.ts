import { base64urlEncode, misuse } from '../bytes/index.ts';
import { digestDisclosure, SALT_BYTES } from './disclosure.ts';

/**
 * An event between its two phases, as one string, so that it crosses to another thread at the price of a
 * copy.
 *
 * The caller's thread checks the event and writes its canonical JSON with holes where nonce, time and digests
 * will stand; the worker fills the holes. Only this file knows the grammar. Parts are joined by U+001F, which
 * canonical JSON never holds raw:
 *
 *     draft  = id US flags US text *(US hole US text)
 *     flags  = 2("0" / "1") count *("," name)
 *                                      ; was the id given, was occurredAt given; how many fields are sealed; the fields of
 *                                      ; `context` that the caller did not write
 *     hole   = "n"                     ; the nonce
 *            / "t"                     ; recordedAt
 *            / "g" count *(US field)   ; the digests of sealed fields of one object, sorted
 *            / "o"                     ; the names in the first group, in the order of its digests
 *            / "d" position            ; the digest of one sealed field, by its position in the draft
 *     field  = name "," value "]"      ; a disclosure without its salt
 */
export type Draft = string;

const SEPARATOR = '\u001f';

/** Where the nonce goes. */
export const nonceHole = `${SEPARATOR}n${SEPARATOR}`;

/** Where the time goes at which the log takes the event. */
export const timeHole = `${SEPARATOR}t${SEPARATOR}`;

/** Where the names of the sealed top-level fields go, once the order of their digests is known. */
export const orderHole = `${SEPARATOR}o${SEPARATOR}`;

/** Where the digest of the sealed field at `position` goes, beside its place in a group. */
export function digestHole(position: number): string {
  return `${SEPARATOR}d${position}${SEPARATOR}`;
}

/** The sealed fields of one object, as they gather while the object is written. */
export interface Group {
  count: number;
  fields: string;
}

/** Adds a field to its group; `name` and `value` are canonical JSON. */
export function addField(group: Group, name: string, value: string): void {
  group.count += 1;
  group.fields += `${SEPARATOR}${name},${value}]`;
}

/** Where the digests of a group go. */
export function groupHole({ count, fields }: Group): string {
  return `${SEPARATOR}g${count}${fields}${SEPARATOR}`;
}

/** What stands at the head of a draft. */
export interface DraftHead {
  readonly id: string;
  readonly givenId: boolean;
  readonly givenOccurredAt: boolean;
  /** How many fields are sealed in all. */
  readonly fields: number;
  /** The fields of `context` that came from around the call: see `PrepareOptions.filled`. */
  readonly filled?: readonly string[];
}

/** Puts a draft together. */
export function formatDraft(
  { id, givenId, givenOccurredAt, fields, filled = [] }: DraftHead,
  text: string,
): Draft {
  const flags = `${givenId ? '1' : '0'}${givenOccurredAt ? '1' : '0'}${[fields, ...filled].join(',')}`;
  return `${id}${SEPARATOR}${flags}${SEPARATOR}${text}`;
}

/** The id of a draft's event. */
export function draftId(draft: Draft): string {
  return draft.slice(0, draft.indexOf(SEPARATOR));
}

/**
 * An event that only lacks the time at which the log takes it, which is known under the head's lock alone.
 */
export interface SealedDraft {
  readonly id: string;
  /** Whether the caller gave the id, so that a repeat is possible. */
  readonly givenId: boolean;
  readonly givenOccurredAt: boolean;
  /** The fields of `context` that came from around the call. */
  readonly filled: readonly string[];
  /** The entry up to the time. */
  readonly before: string;
  /** The entry from behind the time on. */
  readonly after: string;
  /** Salt, name and value of each sealed field, as JSON text. */
  readonly disclosures: readonly string[];
}

/** How many random bytes sealing this draft takes. */
export function sealingBytes(draft: Draft): number {
  const flags = draft.split(SEPARATOR, 2)[1]!;
  return (Number(flags.slice(2).split(',')[0]) + 1) * SALT_BYTES;
}

/**
 * Fills everything but the time into a draft. `random` gives that many unpredictable bytes: 16 for the nonce
 * and 16 for the salt of each sealed field, asked for at once.
 */
export function sealDraft(draft: Draft, random: (bytes: number) => Uint8Array): SealedDraft {
  const parts = draft.split(SEPARATOR);
  const flags = parts[1]!;
  const [count, ...filled] = flags.slice(2).split(',');
  const fields = Number(count);
  const bytes = random((fields + 1) * SALT_BYTES);
  if (bytes.length !== (fields + 1) * SALT_BYTES) {
    throw misuse(
      'range',
      'random_bytes_missing',
      `Sealing asked for ${(fields + 1) * SALT_BYTES} random bytes.`,
    );
  }
  const { disclosures, digests } = discloseFields(parts, bytes);
  const { before, after } = fillHoles(parts, base64urlEncode(bytes.subarray(0, SALT_BYTES)), digests);
  return {
    id: parts[0]!,
    givenId: flags[0] === '1',
    givenOccurredAt: flags[1] === '1',
    filled,
    before,
    after,
    disclosures,
  };
}

/** The entry of a sealed draft, taken at `recordedAt` (RFC 3339, UTC, milliseconds: 24 characters). */
export function entryText({ before, after }: SealedDraft, recordedAt: string): string {
  if (recordedAt.length !== 24) {
    throw misuse('range', 'recorded_at_invalid', 'recordedAt is RFC 3339 in UTC with milliseconds.');
  }
  return before + recordedAt + after;
}

/** Salts every field in the order of the draft, and hashes it. */
function discloseFields(
  parts: readonly string[],
  bytes: Uint8Array,
): { disclosures: string[]; digests: string[] } {
  const disclosures: string[] = [];
  const digests: string[] = [];
  let offset = SALT_BYTES;
  for (let part = 3; part < parts.length; part += 2) {
    const hole = parts[part]!;
    if (hole[0] !== 'g') continue;
    for (let left = Number(hole.slice(1)); left > 0; left -= 1) {
      part += 1;
      const disclosure = `["${base64urlEncode(bytes.subarray(offset, offset + SALT_BYTES))}",${parts[part]!}`;
      offset += SALT_BYTES;
      disclosures.push(disclosure);
      digests.push(digestDisclosure(disclosure));
    }
  }
  return { disclosures, digests };
}

/** Writes the entry, in two halves around the time. */
function fillHoles(
  parts: readonly string[],
  nonce: string,
  digests: readonly string[],
): { before: string; after: string } {
  let before = '';
  let position = 0;
  let text = parts[2]!;
  for (let part = 3; part < parts.length; part += 1) {
    const hole = parts[part]!;
    if (hole === 'n') text += nonce;
    else if (hole === 'o') text += namesInOrder(parts, digests);
    else if (hole === 't') {
      before = text;
      text = '';
    } else if (hole[0] === 'd') text += `"${digests[Number(hole.slice(1))]!}"`;
    else {
      const count = Number(hole.slice(1));
      text += `"${digests
        .slice(position, position + count)
        .sort()
        .join('","')}"`;
      position += count;
      part += count;
    }
    part += 1;
    text += parts[part]!;
  }
  return { before, after: text };
}

/**
 * The names of the first group's fields, which stand quoted in front of each, in the order of their digests.
 */
function namesInOrder(parts: readonly string[], digests: readonly string[]): string {
  const first = digests.slice(0, Number(parts[3]!.slice(1)));
  const names = first.map((_, position) => {
    const field = parts[4 + position]!;
    return field.slice(0, field.indexOf('"', 1) + 1);
  });
  return [...first]
    .sort()
    .map((digest) => names[first.indexOf(digest)]!)
    .join(',');
}
