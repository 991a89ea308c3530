import type { JsonObject, JsonValue } from '../bytes/index.ts';

/** A record that no importer rule fits. Its message is the reason that is recorded with the original. */
export class Unmappable extends Error {
  override readonly name = 'Unmappable';
}

/** The value as an object, or undefined if it is anything else. */
export function objectOf(value: JsonValue | undefined): JsonObject | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // `Array.isArray` does not narrow a read-only list away.
  return value as JsonObject;
}

/** The value as a list; anything else is an empty one. */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a text that is not empty, or undefined. */
export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A text, or a number written out: foreign ids come as either. */
export function idOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' ? String(value) : textOf(value);
}

/** The object under `key`, which the record must have. */
export function requireObject(record: JsonObject, key: string): JsonObject {
  const found = objectOf(record[key]);
  if (found === undefined) throw new Unmappable(`the record has no object "${key}"`);
  return found;
}

/** The text under `key`, which the record must have. */
export function requireText(record: JsonObject, key: string): string {
  const found = textOf(record[key]);
  if (found === undefined) throw new Unmappable(`the record has no text "${key}"`);
  return found;
}

/** A foreign time as RFC 3339 UTC with milliseconds: a text with a zone, or whole seconds since 1970. */
export function timeOf(value: JsonValue | undefined): string | undefined {
  const parsed =
    typeof value === 'number'
      ? new Date(value * 1000)
      : typeof value === 'string'
        ? new Date(value)
        : undefined;
  if (parsed === undefined || Number.isNaN(parsed.getTime())) return undefined;
  // Without a zone the text would be read in the zone of this machine, and mean something else on the next.
  if (typeof value === 'string' && !/(?:z|[+-]\d\d:?\d\d)$/i.test(value)) return undefined;
  return parsed.toISOString();
}
