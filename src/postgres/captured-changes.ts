import { hexEncode, type JsonObject, type JsonValue, sha256Text, utf8Length } from '../bytes/index.ts';
import { type Change, type EventValue, reservedNames } from '../event/index.ts';
import type { RowBody } from './captured-row.ts';

/*
 * The columns of a changed row as the changes of an event. Whatever a column holds, the event is one that the log takes: what is too
 * long, too deep or named as no field of an entry may be is told by its hash.
 */

/** Beyond how many bytes of JSON a value is told by its hash: the first of these with which all of them fit. */
const VALUE_BYTES_MAX = [4096, 1024, 256, 96] as const;

/** The changes together, bytes: they are one disclosure, which has room for 32 KiB. */
const CHANGES_BYTES_MAX = 28_672;

/** All columns that are sealed by themselves, bytes: an entry has room for 128 KiB of disclosures. */
const SEALED_BYTES_MAX = 73_728;

/** Changes that are told one by one; an event has room for 256. */
const CHANGES_MAX = 250;

/** Objects and arrays within one another in a value. */
const VALUE_DEPTH_MAX = 24;

/** Fields of one object in a value. */
const VALUE_FIELDS_MAX = 1000;

/** The columns that differ; of a row that came or went, all that it has. */
export function changesOf({ op, old, new: now, hidden = [] }: RowBody): Change[] {
  const before = old ?? {};
  const after = now ?? {};
  const changes: Change[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const from = before[name];
    const to = after[name];
    if (op === 'U' && from !== undefined && to !== undefined && sameValue(from, to)) continue;
    changes.push({
      path: pointer(name),
      ...(from === undefined ? {} : { from: from as EventValue }),
      ...(to === undefined ? {} : { to: to as EventValue }),
    });
  }
  for (const name of hidden) changes.push({ path: pointer(name) });
  return changes;
}

/**
 * Changes that fit into an event, in their order; those that are sealed one by one stand there by their name alone, and with their
 * values in `apart`.
 */
export function fitted(
  changes: readonly Change[],
  sealed: readonly string[],
): { readonly changes: readonly Change[]; readonly apart: readonly Change[] } {
  const isApart = ({ path }: Change): boolean => sealed.includes(nameIn(path));
  const named = changes.slice(0, CHANGES_MAX);
  const rest = changes.slice(CHANGES_MAX).filter((change) => !isApart(change));
  const bare = named.map((change) => (isApart(change) ? { path: change.path } : change));
  const told = { path: '', to: { columns: rest.length, ...hashOf(JSON.stringify(rest)) } };
  return {
    changes: [...within(bare, CHANGES_BYTES_MAX), ...(rest.length === 0 ? [] : [told])],
    apart: within(changes.filter(isApart), SEALED_BYTES_MAX),
  };
}

function within(changes: readonly Change[], bytesMax: number): Change[] {
  for (const valueMax of VALUE_BYTES_MAX) {
    const told = changes.map(({ path, ...values }) => ({
      path,
      ...Object.fromEntries(
        Object.entries(values).map(([side, value]) => [side, toldIn(value as JsonValue, valueMax)]),
      ),
    }));
    if (utf8Length(JSON.stringify(told)) <= bytesMax) return told;
  }
  return changes.map(({ path }) => ({ path }));
}

/** A value as it stands among the changes: itself, or its hash. */
function toldIn(value: JsonValue, bytesMax: number): EventValue {
  const json = JSON.stringify(value);
  if (utf8Length(json) <= bytesMax && isTellable(value, VALUE_DEPTH_MAX)) return value as EventValue;
  return isHash(value) ? { ...value } : hashOf(textOf(value));
}

/** Whether an entry may hold a value as it is. */
function isTellable(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isTellable(item, depth - 1));
  const fields = Object.entries(value);
  return (
    fields.length <= VALUE_FIELDS_MAX &&
    fields.every(
      ([name, field]) => !reservedNames.includes(name) && isTellable(field as JsonValue, depth - 1),
    )
  );
}

/** What the database has told by its hash already is not hashed again. */
function isHash(value: JsonValue): value is { sha256: string; bytes: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).sort().join() === 'bytes,sha256' &&
    /^[0-9a-f]{64}$/.test(String((value as JsonObject)['sha256']))
  );
}

/** A text by its hash, and how many bytes it is long. */
export function hashOf(text: string): { sha256: string; bytes: number } {
  return { sha256: hexEncode(sha256Text(text)), bytes: utf8Length(text) };
}

/** A value as a text: what stands in a column of texts as it is, anything else as JSON. */
export function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function sameValue(one: JsonValue, other: JsonValue): boolean {
  return (
    one === other ||
    (typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other))
  );
}

/** RFC 6901, section 3. */
function pointer(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The column that a path of {@link changesOf} names. */
export function nameIn(path: string): string {
  return path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
}
