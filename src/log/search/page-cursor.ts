import {
  base64urlDecode,
  base64urlEncode,
  canonicalize,
  type JsonValue,
  misuse,
  parseJson,
  sha256Text,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../../bytes/index.ts';
import type { Filter } from '../../event/index.ts';
import type { TimePosition } from './streams.ts';

/** In which order a query answers: by the place in the log, or by the time that events give themselves; newest first. */
export type SearchOrder = 'index' | 'occurredAt';

/** Where a page ended. */
export interface PagePosition {
  /** The size of the index when the first page was made: later pages see no more, so that none shifts. */
  readonly size: number;
  /** With the order `index`: below this. */
  readonly below?: number;
  /** With the order `occurredAt`: behind this. */
  readonly behind?: TimePosition;
}

const VERSION = 1;

/** Bytes of the hash that ties a cursor to its query. */
const HASH_BYTES = 12;

/** A position as an opaque text, tied to the query that it is a position in. The inverse of {@link parseCursor}. */
export function formatCursor(
  position: PagePosition,
  query: { readonly filter: Filter; readonly order: SearchOrder },
): string {
  const { size, below, behind } = position;
  const at = behind === undefined ? [below!] : [behind.occurred, behind.index];
  const fields = { v: VERSION, order: query.order, query: hashOf(query.filter), size, at };
  return base64urlEncode(utf8Encode(canonicalize(fields)));
}

/** Reads what {@link formatCursor} wrote. Throws a misuse `cursor_invalid` where it is another text, or of another query. */
export function parseCursor(
  text: string,
  query: { readonly filter: Filter; readonly order: SearchOrder },
): PagePosition {
  const fields = decode(text);
  const { v, order, size, at } = fields;
  if (v !== VERSION || !isCount(size) || !Array.isArray(at)) throw invalid('is none of this log');
  if (fields['query'] !== hashOf(query.filter) || order !== query.order)
    throw invalid('belongs to another query, or order');
  const [first, second] = at as readonly JsonValue[];
  if (order === 'index' && at.length === 1 && isCount(first)) return { size, below: first };
  if (order === 'occurredAt' && at.length === 2 && Number.isSafeInteger(first) && isCount(second)) {
    return { size, behind: { occurred: first as number, index: second } };
  }
  throw invalid('is none of this log');
}

function decode(text: string): Readonly<Record<string, JsonValue>> {
  try {
    const value = parseJson(utf8Decode(base64urlDecode(text)));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, JsonValue>;
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
  }
  throw invalid('is none of this log');
}

function hashOf(filter: Filter): string {
  return base64urlEncode(sha256Text(canonicalize(filter as unknown as JsonValue)).subarray(0, HASH_BYTES));
}

function isCount(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function invalid(what: string): Error {
  return misuse(
    'range',
    'cursor_invalid',
    `the cursor ${what}: hand in the \`next\` of a page of the same query, unchanged`,
  );
}
