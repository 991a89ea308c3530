import type { JsonObject, JsonValue } from '../bytes/index.ts';
import type { RecordedEvent } from './model.ts';

/**
 * A longer run of letters is cut here, in the index and in a query alike, so that no blob of data fills the
 * index.
 */
export const TOKEN_LENGTH_MAX = 64;

/**
 * The words of a text as the search index holds them and a query asks for them: runs of letters and digits,
 * in lower case, without the accents of Latin, Greek and Cyrillic. `"user.signed_in"` has three.
 */
export function tokenize(text: string): string[] {
  return isAscii(text) ? tokenizeAscii(text) : tokenizeAny(text);
}

/**
 * Everything of an event that free text is searched in: ids, names and all values that this reader sees, but
 * no field names.
 */
export function searchText(event: RecordedEvent): string {
  const texts: string[] = [event.action, event.id];
  collect(event.actor, texts);
  for (const target of event.targets) collect(target, texts);
  if (event.correlationId !== undefined) texts.push(event.correlationId);
  if (event.causationId !== undefined) texts.push(event.causationId);
  for (const value of [
    event.reason,
    event.error,
    event.changes,
    event.context,
    event.labels,
    event.metadata,
    event.unknown,
  ]) {
    if (value !== undefined) collect(value, texts);
  }
  return texts.join('\n');
}

function collect(value: JsonValue, texts: string[]): void {
  if (typeof value === 'string') texts.push(value);
  else if (typeof value === 'number') texts.push(String(value));
  else if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) for (const element of value as readonly JsonValue[]) collect(element, texts);
    else for (const name of Object.keys(value)) collect((value as JsonObject)[name]!, texts);
  }
}

/** Whether each ASCII character belongs to a word. */
const isWordUnit = Uint8Array.from({ length: 128 }, (_, unit) =>
  /[a-zA-Z0-9]/.test(String.fromCharCode(unit)) ? 1 : 0,
);

function isAscii(text: string): boolean {
  for (let position = 0; position < text.length; position += 1) {
    if (text.charCodeAt(position) >= 128) return false;
  }
  return true;
}

function tokenizeAscii(text: string): string[] {
  const lower = text.toLowerCase();
  const tokens: string[] = [];
  let start = -1;
  for (let position = 0; position <= lower.length; position += 1) {
    // Behind the end the unit is NaN, which is no word's.
    const belongs = isWordUnit[lower.charCodeAt(position)] === 1;
    if (belongs && start < 0) start = position;
    if (belongs || start < 0) continue;
    tokens.push(lower.slice(start, Math.min(position, start + TOKEN_LENGTH_MAX)));
    start = -1;
  }
  return tokens;
}

/**
 * Accents that decomposition has set apart from their letters. Marks of other scripts are part of how their
 * words are written.
 */
const accents = /[\u0300-\u036f]/g;
const words = /[\p{L}\p{N}\p{M}]+/gu;

function tokenizeAny(text: string): string[] {
  // Decomposing brings out capitals (the sign ℡ is TEL), and small letters can decompose again.
  const folded = text.normalize('NFKD').toLowerCase().normalize('NFKD').replaceAll(accents, '');
  return (folded.match(words) ?? []).map(cut);
}

function cut(word: string): string {
  if (word.length <= TOKEN_LENGTH_MAX) return word;
  const short = word.slice(0, TOKEN_LENGTH_MAX);
  return short.isWellFormed() ? short : short.slice(0, -1);
}
