import {
  canonicalize,
  hexEncode,
  type JsonObject,
  type JsonValue,
  parseJson,
  sha256,
  utf8Encode,
  utf8Length,
} from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import { mapCloudTrail } from './import-cloudtrail.ts';
import { mapGitHub } from './import-github.ts';
import { mapJsonLine } from './import-jsonl.ts';
import { objectOf, Unmappable } from './record.ts';

/** What can be imported: events of our own, AWS CloudTrail records, GitHub webhook deliveries. */
export const importFormats = ['jsonl', 'cloudtrail', 'github'] as const;

/** One of {@link importFormats}. */
export type ImportFormat = (typeof importFormats)[number];

/** What one foreign record became. */
export interface Mapping {
  readonly event: AuditEvent;
  /** Why no rule fits, where the event is an `import.unmapped`. */
  readonly unmapped?: string;
  /** Whether the original is too large, or not of a shape that can be sealed, and so only its digest was kept. */
  readonly originalLeftOut: boolean;
}

/** One record as it was found. */
export interface FoundRecord {
  /** Its exact text. */
  readonly text: string;
  /** Its value; undefined where the text is no strict JSON. */
  readonly value: JsonValue | undefined;
  /** Why there is no value. */
  readonly problem?: string;
}

/** A line of which there is no text to keep: why, and what is known of its bytes. */
export interface UnreadRecord {
  readonly reason: string;
  readonly digest: { readonly bytes: number; readonly sha256: string };
}

const mappers: Readonly<Record<ImportFormat, (record: JsonObject) => AuditEvent>> = {
  cloudtrail: mapCloudTrail,
  github: mapGitHub,
  jsonl: mapJsonLine,
};

/** Names that sealing keeps for itself (RFC 9901 §4.2.4.1); an original that has them is kept as text. */
const reservedNames: ReadonlySet<string> = new Set(['_sd', '_sd_alg', '...']);
/** Bytes that `metadata` may take: a disclosure holds 32 KiB, of which salt, name and brackets take some. */
const metadataBytesMax = 32 * 1024 - 64;
/** `metadata.original` adds two levels above the record, and an event may nest 32 deep. */
const originalDepthMax = 30;

/** Reads the text of one record. Never throws: what is no JSON is still a record, and is imported as text. */
export function findRecord(text: string): FoundRecord {
  try {
    return { text, value: parseJson(text) };
  } catch (error) {
    return { text, value: undefined, problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Numbers the records of one import that are equal and have no id of their own: 0 for the first that drew an id, 1 for
 * the next. So each has an id of its own, and the same file gives the same ids again.
 */
export class Occurrences {
  readonly #counts = new Map<string, number>();

  /** How often `drawn` was asked for before. */
  next(drawn: string): number {
    const count = this.#counts.get(drawn) ?? 0;
    this.#counts.set(drawn, count + 1);
    return count;
  }
}

/**
 * Maps one record of `format` to an event. Never throws and skips nothing: a record that no rule fits becomes
 * `import.unmapped` with the original under `metadata.original`.
 */
export function mapRecord(format: ImportFormat, record: FoundRecord, occurrences: Occurrences): Mapping {
  const object = objectOf(record.value);
  if (object === undefined) {
    return mapUnmapped(format, record, occurrences, record.problem ?? 'the record is not a JSON object');
  }
  try {
    const mapped = mappers[format](object);
    const id = mapped.id ?? drawId(format, recordDigest(record), occurrences);
    if (format === 'jsonl') return { event: { ...mapped, id }, originalLeftOut: false };
    const kept = keepOriginal(record, { importedFrom: format });
    return { event: { ...mapped, id, metadata: kept.metadata }, originalLeftOut: kept.leftOut };
  } catch (error) {
    if (!(error instanceof Unmappable)) throw error;
    return mapUnmapped(format, record, occurrences, error.message);
  }
}

/** The event that stands for a record which no rule fits, or which the log refused for `reason`. */
export function mapUnmapped(
  format: ImportFormat,
  record: FoundRecord,
  occurrences: Occurrences,
  reason: string,
): Mapping {
  const kept = keepOriginal(record, { importedFrom: format, reason });
  const id = drawId(`${format}-unmapped`, recordDigest(record), occurrences);
  return {
    event: unmappedEvent(format, id, kept.metadata),
    unmapped: reason,
    originalLeftOut: kept.leftOut,
  };
}

/** The event that stands for a line which could not be read: that it was there, and the digest of its bytes. */
export function mapUnread(
  format: ImportFormat,
  { reason, digest }: UnreadRecord,
  occurrences: Occurrences,
): Mapping {
  const id = drawId(`${format}-unmapped`, digest.sha256, occurrences);
  const metadata = { importedFrom: format, reason, originalLeftOut: { reason, ...digest } };
  return { event: unmappedEvent(format, id, metadata), unmapped: reason, originalLeftOut: true };
}

function unmappedEvent(format: ImportFormat, id: string, metadata: JsonObject): AuditEvent {
  return {
    id,
    action: 'import.unmapped',
    outcome: 'unknown',
    actor: { type: 'importer', id: format },
    targets: [],
    metadata,
  };
}

/** An id that follows from the record alone. The value is hashed rather than its text: white space is no difference. */
function drawId(prefix: string, digest: string, occurrences: Occurrences): string {
  const drawn = `${prefix}:${digest.slice(0, 32)}`;
  const before = occurrences.next(drawn);
  return before === 0 ? drawn : `${drawn}:${before}`;
}

/** SHA-256 of a record, in hexadecimal: of its canonical JSON, or of its text where it has no value. */
function recordDigest(record: FoundRecord): string {
  const text = record.value === undefined ? record.text : canonicalize(record.value);
  return hexEncode(sha256(utf8Encode(text.toWellFormed())));
}

interface Kept {
  readonly metadata: JsonObject;
  readonly leftOut: boolean;
}

/** `metadata` with the original: as JSON, else as text, else only its digest and the reason why. */
function keepOriginal(record: FoundRecord, about: JsonObject): Kept {
  if (record.value !== undefined && isSealable(record.value, originalDepthMax)) {
    const metadata = { ...about, original: record.value };
    if (utf8Length(canonicalize(metadata)) <= metadataBytesMax) return { metadata, leftOut: false };
  } else {
    const metadata = { ...about, originalText: record.text.toWellFormed() };
    if (utf8Length(canonicalize(metadata)) <= metadataBytesMax) return { metadata, leftOut: false };
  }
  const originalLeftOut = {
    reason: 'larger than one sealed value may be',
    bytes: utf8Length(record.text.toWellFormed()),
    sha256: recordDigest(record),
  };
  return { metadata: { ...about, originalLeftOut }, leftOut: true };
}

function isSealable(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item: JsonValue) => isSealable(item, depth - 1));
  return Object.entries(value).every(
    ([name, item]) => !reservedNames.has(name) && isSealable(item, depth - 1),
  );
}
