import { createHash } from 'node:crypto';
import { isJsonNumber, type JsonObject, type JsonValue } from '../bytes/index.ts';
import { type EventCode, EventError, limits, pointerTo, reservedNames } from '../event/index.ts';

type Path = readonly (string | number)[];

/**
 * A value of the application's as JSON, or undefined where there is none. A Date becomes its text, a bigint its digits, a Map with texts
 * for names an object, a Set a list, bytes their length and digest, and what has a `toJSON` what that gives. Fields that are undefined
 * count as absent. Throws `EventError` `event_value_invalid`, by its pointer, for all else that JSON cannot hold; `event_name_reserved`,
 * `event_too_deep`.
 */
export function toJsonValue(value: unknown, path: Path = []): JsonValue | undefined {
  if (path.length > limits.depthMax - 2) {
    throw refuse(
      'event_too_deep',
      path,
      'lies deeper than an event may nest, or in a loop',
      'Name fewer levels.',
    );
  }
  switch (typeof value) {
    case 'undefined':
      return undefined;
    case 'string':
      if (value.isWellFormed()) return value;
      throw invalid(path, 'holds half of a surrogate pair');
    case 'number':
      if (isJsonNumber(value)) return value === 0 ? 0 : value;
      throw invalid(path, `is ${value}, which JSON cannot hold exactly`);
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : fromObject(value, path);
    default:
      throw invalid(path, `is a ${typeof value}`);
  }
}

function fromObject(value: object, path: Path): JsonValue | undefined {
  // `map` would pass over what a list has not got.
  if (Array.isArray(value)) return Array.from(value, (item, at) => toJsonValue(item, [...path, at]) ?? null);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid(path, 'is a Date without a time');
    return value.toISOString();
  }
  if (value instanceof Map) return fromMap(value, path);
  if (value instanceof Set) return fromObject([...value], path);
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return toJsonValue(toJSON.call(value), [...path, 'toJSON']);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    throw invalid(path, `is an instance of ${value.constructor?.name ?? 'a class'}`);
  }
  return fromEntries(Object.entries(value), path);
}

function fromMap(map: ReadonlyMap<unknown, unknown>, path: Path): JsonObject {
  for (const name of map.keys()) {
    if (typeof name !== 'string') throw invalid(path, 'is a Map with a key that is no text');
  }
  return fromEntries([...(map as ReadonlyMap<string, unknown>)], path);
}

function fromEntries(entries: readonly (readonly [string, unknown])[], path: Path): JsonObject {
  const kept: [string, JsonValue][] = [];
  for (const [name, item] of entries) {
    const at = [...path, name];
    if (!name.isWellFormed()) throw invalid(path, 'has a name that holds half of a surrogate pair');
    if (reservedNames.includes(name)) {
      throw refuse('event_name_reserved', at, 'has a name that sealing uses itself', 'Rename the field.');
    }
    const value = toJsonValue(item, at);
    if (value !== undefined) kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

function invalid(path: Path, rule: string): EventError {
  return refuse(
    'event_value_invalid',
    path,
    rule,
    'Convert it before comparing, or leave it out with ignore.',
  );
}

function refuse(code: EventCode, path: Path, rule: string, hint: string): EventError {
  return new EventError(code, pointerTo(path), { rule, hint });
}
